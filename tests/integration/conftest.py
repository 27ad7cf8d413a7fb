"""Fixtures for tests against real servers and devices: `pulse` (a microphone), `mosquitto` (a broker)."""

import importlib
import importlib.util

from pulse import pulse

__all__ = ["mosquitto", "pulse"]

# Looked up by name so that the sound tests run in a checkout without the broker's module.
mosquitto = importlib.import_module("broker").mosquitto if importlib.util.find_spec("broker") else None
