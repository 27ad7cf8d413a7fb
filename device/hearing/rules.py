"""From settings and a model's description to the rules of the decision."""

from device.configuration.settings import DecisionConfig, Mode
from device.hearing.decision import Rules
from device.hearing.models.loading import Model

OFF_TO_ON = 0.7
"""Where `off` is not set it is this part of `on`: less than `on` by more than scores tremble."""

MIN_ON_S = 1.5
MIN_OFF_S = 4.0
"""Where neither the configuration nor the model says how long music must last, or be gone."""


def rules(config: DecisionConfig, model: Model, mode: Mode) -> Rules:
    """The decision's rules: what is configured, else what the model wants (thresholds: for the mode)."""
    sidecar = model.sidecar
    on = _first(config.on, sidecar.thresholds[mode])
    off = on * OFF_TO_ON if config.off is None else min(config.off, on)
    return Rules(
        on=on,
        off=off,
        min_on_s=_first(config.min_on_s, sidecar.min_on_s, MIN_ON_S),
        min_off_s=_first(config.min_off_s, sidecar.min_off_s, MIN_OFF_S),
    )


def _first(*values: float | None) -> float:
    """The first that is said."""
    return next(value for value in values if value is not None)
