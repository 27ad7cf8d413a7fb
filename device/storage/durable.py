"""Small files that a loss of power leaves either as they were or as they should be, never half written."""

import os
from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Write a file anew, readable by its owner only; when this returns, it is on disk.

    Args:
        path: the file; its directory is made if it is missing.
        text: all of it.

    Raises:
        OSError: it could not be written; the old file is still there.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)  # the new name: see fsync(2)
    finally:
        os.close(directory)
