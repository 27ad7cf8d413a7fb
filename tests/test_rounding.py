"""export.convert.rounding: weights of few bits that do what the fine ones did."""

import numpy as np
import pytest

from export.convert.rounding import Float64, Rounded, Task, rounded, windows

UNIT, TOP = 0.01, 31


def task(*, inputs: int = 12, outputs: int = 6, rows: int = 2000, seed: int = 1) -> Task:
    """A layer whose inputs go together, as neighbouring places of a spectrum do."""
    generator = np.random.default_rng(seed)
    together = generator.normal(size=(inputs, inputs)) * np.linspace(1.0, 0.05, inputs)
    read = generator.normal(size=(rows, inputs)) @ together + 0.5
    return Task(generator.normal(size=(outputs, inputs)), generator.normal(size=outputs), read, read)


def weights(found: Rounded) -> Float64:
    """What the integers stand for."""
    return found.integers * (UNIT * 2.0**found.exponents)[:, None]


def error(given: Task, weights: Float64, bias: Float64) -> float:
    """Root mean square of what is not as it was."""
    was, now = given.wanted_of @ given.weights.T + given.bias, given.given @ weights.T + bias
    return float(np.sqrt(np.mean((was - now) ** 2)))


def plainly(given: Task, found: Rounded) -> Float64:
    """Each weight rounded by itself, to the same steps."""
    steps = (UNIT * 2.0**found.exponents)[:, None]
    return np.clip(np.round(given.weights / steps), -TOP, TOP) * steps


@pytest.mark.parametrize("each", [True, False])
def test_errors_are_made_up_for(*, each: bool) -> None:
    """Half of the error that plain rounding makes, at most, and within the integers that there are."""
    given = task()
    found = rounded(given, unit=UNIT, top=TOP, each=each)
    assert np.abs(found.integers).max() <= TOP
    assert np.array_equal(found.integers, np.round(found.integers))
    assert error(given, weights(found), found.bias) < 0.5 * error(given, plainly(given, found), given.bias)


def test_steps_are_of_each_output_or_of_all() -> None:
    """As the layer's file has room for."""
    given = task()
    loud = Task(given.weights * [[1.0], [30.0], [1.0], [1.0], [1.0], [1.0]], given.bias, given.given, given.given)
    assert len(set(rounded(loud, unit=UNIT, top=TOP, each=True).exponents)) > 1
    assert len(set(rounded(loud, unit=UNIT, top=TOP, each=False).exponents)) == 1


def test_what_earlier_layers_made_worse_is_made_up_for() -> None:
    """Inputs that are all a little too small and shifted: weights grow, the bias takes the shift."""
    given = task()
    shrunk = Task(given.weights, given.bias, given.wanted_of, 0.9 * given.wanted_of - 0.2)
    found = rounded(shrunk, unit=UNIT, top=TOP, each=True)
    assert error(shrunk, weights(found), found.bias) < 0.3 * error(shrunk, given.weights, given.bias)


def test_an_input_that_is_always_silent_changes_nothing() -> None:
    """And an output that says nothing keeps its bias."""
    given = task()
    read = given.given * (np.arange(12) != 3)
    silent = Task(given.weights * (np.arange(6) != 2)[:, None], given.bias, read, read)
    found = rounded(silent, unit=UNIT, top=TOP, each=True)
    assert np.isfinite(found.bias).all()
    assert found.bias[2] == pytest.approx(given.bias[2])
    assert not found.integers[2].any()
    assert found.exponents.min() >= -16


@pytest.mark.parametrize(("same", "strides"), [(True, (2, 2)), (True, (1, 1)), (False, (1, 1)), (False, (2, 1))])
def test_windows_are_those_of_a_convolution(*, same: bool, strides: tuple[int, int]) -> None:
    """Place by place, padded as TensorFlow pads: less before than after."""
    images = np.random.default_rng(2).normal(size=(2, 7, 6, 3))
    found = windows(images, kernel=(3, 3), strides=strides, same=same)
    height, width = (-(-7 // strides[0]), -(-6 // strides[1])) if same else (5 // strides[0] + 5 % strides[0], 4)
    assert found.shape == (2, height, width, 3, 3, 3)
    for row in range(height):
        for column in range(width):
            top = row * strides[0] - (same and max((height - 1) * strides[0] + 3 - 7, 0) // 2)
            left = column * strides[1] - (same and max((width - 1) * strides[1] + 3 - 6, 0) // 2)
            for down in range(3):
                for across in range(3):
                    at = (top + down, left + across)
                    inside = 0 <= at[0] < 7 and 0 <= at[1] < 6
                    expected = images[:, at[0], at[1]] if inside else np.zeros((2, 3))
                    assert np.array_equal(found[:, row, column, :, down, across], expected)
