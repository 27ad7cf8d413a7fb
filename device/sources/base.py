"""The seam between the world and the pipeline: a `Source` gives `Block`s of samples."""

from collections.abc import Iterator
from typing import Protocol

from device.sound import Block

BLOCK_S = 0.1
"""Length of the blocks, seconds, where nobody asks for another."""


class Source(Protocol):
    """Somewhere sound comes from. Constructing one opens nothing; iterating `blocks` does."""

    name: str
    """As it appears in topics, for example `living-room`."""

    def blocks(self) -> Iterator[Block]:
        """Yield blocks in order until the sound ends or `close` is called.

        Raises:
            SourceError: there is no sound to be had here.
            SourceLost: there was, and it stopped.
        """
        ...

    def close(self) -> None:
        """End `blocks` soon (within 0.2 s), from any thread, and free the device or child. Idempotent."""
        ...
