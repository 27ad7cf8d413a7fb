"""export.columns: what Rows, Segments, Verdicts and Examples share."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from export.columns import Columns


@dataclass(frozen=True, slots=True)
class Heard(Columns):
    """Two columns."""

    score: npt.NDArray[np.float32]
    package: npt.NDArray[np.str_]


HEARD = Heard(np.array([[0.1], [0.2], [0.3]], np.float32), np.array(["a", "b", "a"]))


def test_a_mask_chooses_rows_of_every_column() -> None:
    """In their order."""
    chosen = HEARD.where(HEARD.package == "a")
    assert len(chosen) == 2
    assert chosen.score.tolist() == HEARD.score[[0, 2]].tolist()
    assert chosen.package.tolist() == ["a", "a"]


def test_parts_are_joined_in_order() -> None:
    """Longer names of another part are not cut."""
    joined = Heard.join([HEARD, Heard(np.zeros((1, 1), np.float32), np.array(["longer"]))])
    assert joined.package.tolist() == ["a", "b", "a", "longer"]
    assert joined.score.shape == (4, 1)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """With its types."""
    HEARD.save(tmp_path / "heard.npz")
    read = Heard.load(tmp_path / "heard.npz")
    assert read.score.dtype == np.float32
    assert read.score.tolist() == HEARD.score.tolist()
    assert read.package.tolist() == HEARD.package.tolist()
