"""export.whole_file: a file is there whole or not at all."""

from pathlib import Path

import numpy as np
import pytest

from export.whole_file import whole_file, write_arrays, write_json


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    """Until then what was there before stays; missing folders are made."""
    path = tmp_path / "folder" / "file.txt"
    with whole_file(path) as part:
        part.write_text("first")
    with whole_file(path) as part:
        part.write_text("second")
        assert path.read_text() == "first"
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_nothing_half_written(tmp_path: Path) -> None:
    """The old file stays."""
    path = tmp_path / "file.txt"
    path.write_text("before")
    with pytest.raises(TypeError), whole_file(path) as part, part.open("w") as file:
        file.writelines(["half", 0])  # type: ignore[list-item]  # the error
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_an_archive_holds_the_named_arrays_and_nothing_else(tmp_path: Path) -> None:
    """In every version of numpy; whoever counts the arrays in it relies on that."""
    path = tmp_path / "arrays.npz"
    write_arrays(path, {"loss": np.float64(0.5), "weights_0": np.arange(3)})
    with np.load(path) as stored:
        assert stored.files == ["loss", "weights_0"]
        assert stored["weights_0"].tolist() == [0, 1, 2]
    assert list(tmp_path.iterdir()) == [path]


def test_json_ends_with_a_line(tmp_path: Path) -> None:
    """As text files do."""
    write_json(tmp_path / "file.json", {"a": 1})
    assert (tmp_path / "file.json").read_text() == '{\n  "a": 1\n}\n'
