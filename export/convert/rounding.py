"""Weights on a coarse grid that do what the fine ones did, on the inputs that they will have. Pure arithmetic."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

RIDGE = 0.02
"""How strongly weights are held to what training gave them, in parts of the inputs' mean power."""

DAMPING = 0.01
"""The same, where rounding errors are handed on."""


_LEAST = -15
"""No exponent is smaller by more than one: the bias of a channel that says next to nothing must fit 32 bits."""


@dataclass(frozen=True, slots=True)
class Task:
    """One linear layer, or one channel of a depthwise one."""

    weights: Float64
    """(outputs, inputs), as trained."""
    bias: Float64
    """(outputs,)"""
    wanted_of: Float64
    """(rows, inputs): what the layer reads in the network as trained."""
    given: Float64
    """(rows, inputs): what it will read, the layers before it being rounded already."""


@dataclass(frozen=True, slots=True)
class Rounded:
    """What became of it."""

    integers: Float64
    """(outputs, inputs), whole numbers within +-`top`."""
    exponents: Float64
    """(outputs,): a step of the weights is 2**exponent, of the unit that was given."""
    bias: Float64
    """(outputs,), of the same unit as the task's."""


def rounded(task: Task, *, unit: float, top: int, each: bool) -> Rounded:
    """Choose weights `unit` * 2**exponent * integer, and a bias, that give the outputs of the trained layer.

    First, weights that give on the real inputs what the trained ones gave on theirs (least squares, with a pull to
    the trained ones). Then these are rounded one input at a time, and the inputs that follow make up for each
    error as far as they are correlated (Frantar et al. 2022, "GPTQ", after Hassibi & Stork 1993). The bias takes
    what is left in the mean.

    Args:
        task: the layer.
        unit: steps are this times a power of two.
        top: the largest integer.
        each: whether every output has its own exponent; otherwise all have the same.
    """
    wanted = task.wanted_of @ task.weights.T
    mean_given, mean_wanted = task.given.mean(axis=0), wanted.mean(axis=0)
    centred = task.given - mean_given
    power = centred.T @ centred
    held = RIDGE * _mean_power(power) * np.eye(len(power))
    fitted = np.linalg.solve(power + held, centred.T @ (wanted - mean_wanted) + held @ task.weights.T).T
    peaks = np.abs(fitted).max(axis=1)
    peaks = np.maximum(peaks if each else peaks.max(keepdims=True), top * unit * 2.0**_LEAST)
    widest = np.broadcast_to(np.ceil(np.log2(peaks / (top * unit))), len(fitted))
    # A finer step clips the largest weights; where they are few, that costs less than it gains.
    found = [
        (exponents, *_error_feedback(fitted, power, unit * 2.0**exponents, top))
        for exponents in (widest, widest - 1)
    ]
    (wide, wide_integers, wide_loss), (fine, fine_integers, fine_loss) = found
    better = fine_loss < wide_loss if each else np.full(len(fitted), fine_loss.sum() < wide_loss.sum())
    exponents = np.where(better, fine, wide)
    integers = np.where(better[:, None], fine_integers, wide_integers)
    weights = integers * (unit * 2.0**exponents)[:, None]
    return Rounded(integers, exponents, task.bias + mean_wanted - weights @ mean_given)


def _error_feedback(weights: Float64, power: Float64, steps: Float64, top: int) -> tuple[Float64, Float64]:
    """Integers (outputs, inputs), and the squared error (outputs,) that they make."""
    inputs = len(power)
    order = np.argsort(-np.diag(power), kind="stable")
    damped = power[np.ix_(order, order)] + DAMPING * _mean_power(power) * np.eye(inputs)
    feedback = np.linalg.cholesky(np.linalg.inv(damped)).T
    left, integers = weights[:, order], np.zeros_like(weights)
    for place in range(inputs):
        integers[:, place] = np.clip(np.round(left[:, place] / steps), -top, top)
        error = (left[:, place] - integers[:, place] * steps) / feedback[place, place]
        left[:, place + 1 :] -= np.outer(error, feedback[place, place + 1 :])
    integers = integers[:, np.argsort(order)]
    apart = integers * steps[:, None] - weights
    return integers, np.einsum("oi,ij,oj->o", apart, power, apart)


def _mean_power(power: Float64) -> float:
    """Never zero: a layer may hear nothing at all."""
    return float(np.trace(power)) / len(power) + 1e-9


def windows(images: Float64, *, kernel: tuple[int, int], strides: tuple[int, int], same: bool) -> Float64:
    """What a convolution reads: (images, height, width, channels) to (n, out, out, channels, *kernel).

    Kernel and strides are (height, width). `same` pads with zeros as TensorFlow does, more at the end.
    """
    if same:
        sides = [(0, 0)]
        for size, reach, stride in zip(images.shape[1:3], kernel, strides, strict=True):
            missing = max((-(-size // stride) - 1) * stride + reach - size, 0)
            sides.append((missing // 2, missing - missing // 2))
        images = np.pad(images, [*sides, (0, 0)])
    all_windows = np.lib.stride_tricks.sliding_window_view(images, kernel, axis=(1, 2))
    found: Float64 = all_windows[:, :: strides[0], :: strides[1]]
    return found
