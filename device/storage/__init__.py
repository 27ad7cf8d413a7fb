"""What outlives the process.

state.py          the state directory, and everything in it, opened and closed as one
database.py       SQLite files: opened, checked, set aside when damaged
sqlite_outbox.py  events that wait for the broker's acknowledgement
history.py        intervals of music, for `oido history`
last_heard.py     how far music was heard, noted outside the disk
journal.py        what listeners tell the two
"""
