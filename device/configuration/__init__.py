"""What the device is told: settings, read from TOML and the environment.

settings.py  every section and key, as frozen dataclasses
tables.py    TOML tables -> dataclasses; an error names the key, the value and what is allowed
"""
