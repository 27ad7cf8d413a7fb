"""Files that are there whole or not at all: written beside their place, then renamed."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path to write to. It becomes `path` when the block ends well, and is deleted otherwise.

    It ends in `.part`, so that nobody who looks for files of a kind finds it. Missing folders are made.
    """
    part = path.with_name(f"{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write an .npz file that holds exactly these arrays."""
    with whole_file(path) as part, part.open("wb") as file:
        # No option of savez beside them: numpy 1.26 and 2.0 store `allow_pickle` as one more array.
        np.savez(file, **arrays)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file."""
    with whole_file(path) as part:
        part.write_bytes(content)


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write an object as indented JSON."""
    write_bytes(path, (json.dumps(document, indent=2) + "\n").encode())
