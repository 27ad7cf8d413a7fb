"""How the device is doing.

vitals.py          counts and inference times of one source, for telemetry and metrics
metrics.py         the same as a page that Prometheus reads
metrics_server.py  serves that page
host.py            memory, temperature and name of this machine
"""
