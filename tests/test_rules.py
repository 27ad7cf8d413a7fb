"""device.hearing.rules: what is configured counts, then what the model's description says, then the usual."""

from dataclasses import replace

import pytest
from hearing_fakes import fake_model

from device.configuration.settings import DecisionConfig
from device.hearing.rules import rules


@pytest.mark.parametrize(
    ("config", "wish", "expected"),
    [
        (DecisionConfig(), (None, None), (1.5, 4.0)),
        (DecisionConfig(), (1.0, 3.0), (1.0, 3.0)),
        (DecisionConfig(), (1.0, None), (1.0, 4.0)),
        (DecisionConfig(min_on_s=2.0), (1.0, 3.0), (2.0, 3.0)),
        (DecisionConfig(min_on_s=0.0, min_off_s=0.0), (1.0, 3.0), (0.0, 0.0)),
        (DecisionConfig(), (0.0, 0.0), (0.0, 0.0)),
    ],
)
def test_minimum_durations(
    config: DecisionConfig, wish: tuple[float | None, float | None], expected: tuple[float, float]
) -> None:
    """Each for itself; zero is a wish, too."""
    model = fake_model()
    sidecar = replace(model.sidecar, min_on_s=wish[0], min_off_s=wish[1])
    found = rules(config, replace(model, sidecar=sidecar), "balanced")
    assert (found.min_on_s, found.min_off_s) == expected
