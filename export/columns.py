"""Tables of arrays: every field has one entry a row."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from export.whole_file import write_arrays


@dataclass(frozen=True, slots=True)
class Columns:
    """A base for frozen dataclasses whose fields are arrays, the rows along their first axis."""

    def __len__(self) -> int:
        """Rows."""
        return len(getattr(self, fields(self)[0].name))

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def where(self, mask: npt.NDArray[np.bool_]) -> Self:
        """The rows for which the mask, (n,), is true."""
        return type(self)(**{name: column[mask] for name, column in self.columns().items()})

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """All rows of all parts, in order; at least one part."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})

    def save(self, path: Path) -> None:
        """Write them as an .npz file, whole or not at all."""
        write_arrays(path, self.columns())

    @classmethod
    def load(cls, path: Path) -> Self:
        """What `save` wrote.

        Raises:
            OSError, ValueError, KeyError, EOFError, BadZipFile: the file is missing or damaged.
        """
        # Opened here: numpy leaves a damaged file open.
        with path.open("rb") as file, np.load(file) as stored:
            return cls(**{field.name: stored[field.name] for field in fields(cls)})
