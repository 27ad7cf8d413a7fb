"""`oido run`: what listens, publishes and is supervised until a signal says stop.

daemon.py     joins the parts, supervises them, and ends them in order
listeners.py  all sources: started, stopped, commanded together
listener.py   one source: heard, reported, opened again, commanded
writer.py     the thread that stores and publishes what listeners say
liveness.py   when a listener must next show that it is alive
reload.py     what a new configuration changes
signals.py    SIGTERM, SIGINT and SIGHUP, without a lock
systemd.py    readiness, status and watchdog
memory.py     releases start-up memory
"""
