"""What outlives the process.

state          the state directory, and everything in it, opened and closed together
database       SQLite files: opened, written, set aside when damaged
sqlite_outbox  events that wait for the broker's acknowledgement
commanded      what commands have set: paused, mode, model, log level
durable        small files that a loss of power leaves whole
ledger         topics that this device has filled at the broker
history        intervals of music, for `oido history`
last_heard     how far music was heard, kept in memory outside the process
journal        what listeners report to history and last_heard
"""
