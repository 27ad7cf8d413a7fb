"""A few of many, evenly from the first to the last: what stands side by side is alike."""

import numpy as np
import numpy.typing as npt


def spread(rows: int, count: int) -> npt.NDArray[np.intp]:
    """Indices of `count` of so many rows, evenly from the first to the last; of all, where there are no more."""
    return np.unique(np.linspace(0, rows - 1, min(count, rows)).astype(np.intp))
