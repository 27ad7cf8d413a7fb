"""What an extractor is called and where its embeddings come from, before it is opened."""

import functools
import os
from typing import Literal, Protocol

from device.daemon.memory import keep_buffers
from export.embeddings.base import Extractor

Origin = Literal["scratch", "own", "published"]
"""`scratch`: nothing was learnt. `own`: by our network, on this corpus's training packages. `published`: by
others, on other sound, which is what transfer learning means."""


class Feature(Protocol):
    """A description of an extractor, small enough to be sent to another process, and hashable."""

    @property
    def name(self) -> str:
        """As it stands in tables."""

    @property
    def origin(self) -> Origin:
        """What its embeddings owe to learning."""

    def __hash__(self) -> int:
        """Of what describes it."""

    def open(self) -> Extractor:
        """Ready to embed.

        Raises:
            OidoError: its weights cannot be used.
        """


@functools.lru_cache(maxsize=8)
def opened(feature: Feature) -> Extractor:
    """The extractor, opened once in each process: a network takes seconds to load."""
    keep_buffers()
    # One thread, as our own runtimes have it: there is a process for each core, and costs are to be compared.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    return feature.open()
