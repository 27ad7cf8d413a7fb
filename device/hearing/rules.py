"""From settings and a model's thresholds to the rules of the decision."""

from device.config import DecisionConfig, Mode
from device.hearing.decision import Rules
from device.hearing.models import Model

OFF_TO_ON = 0.7
"""Where `off` is not set it is this part of `on`: less than `on` by more than scores tremble."""


def rules(config: DecisionConfig, model: Model, mode: Mode) -> Rules:
    """The decision's rules: what is configured, and otherwise the model's threshold for the mode."""
    on = model.sidecar.thresholds[mode] if config.on is None else config.on
    off = on * OFF_TO_ON if config.off is None else min(config.off, on)
    return Rules(on=on, off=off, min_on_s=config.min_on_s, min_off_s=config.min_off_s)
