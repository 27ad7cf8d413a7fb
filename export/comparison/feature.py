"""The extractors that are compared, by name."""

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

from device.daemon.memory import keep_buffers
from export.embeddings.base import Extractor

Origin = Literal["scratch", "own", "published"]
"""`scratch`: nothing was learnt. `own`: by our network, on this corpus's training packages. `published`: by
others, on other sound, which is what transfer learning means."""


class Feature(Protocol):
    """A description of an extractor, small enough to be sent to another process; equal ones are one."""

    @property
    def name(self) -> str:
        """As it stands in tables."""
        ...

    @property
    def origin(self) -> Origin:
        """What its embeddings owe to learning."""
        ...

    def __hash__(self) -> int:
        """Of what describes it."""
        ...

    def open(self) -> Extractor:
        """Ready to embed.

        Raises:
            OidoError: its weights cannot be used.
        """
        ...


FeatureName = Literal["cepstral", "ours", "yamnet", "vggish", "openl3"]

FEATURES: tuple[FeatureName, ...] = get_args(FeatureName)

PUBLISHED: tuple[FeatureName, ...] = ("yamnet", "vggish", "openl3")
"""Whose weights the user brings."""


@dataclass(frozen=True, slots=True)
class NamedFeature:
    """One of those in `export.embeddings`."""

    name: FeatureName
    weights: Path | None = None
    """Of a published one."""

    @property
    def origin(self) -> Origin:
        """What its embeddings owe to learning."""
        return {"cepstral": "scratch", "ours": "own"}.get(self.name, "published")  # type: ignore[return-value]

    def open(self) -> Extractor:
        """Import and load it."""
        # Imported here: each needs other libraries, some of them large.
        if self.name == "cepstral":
            from export.embeddings.cepstral import CepstralExtractor  # noqa: PLC0415

            return CepstralExtractor()
        if self.name == "ours":
            from export.embeddings.ours import OursExtractor  # noqa: PLC0415

            return OursExtractor()
        if self.weights is None:
            raise ValueError(f"{self.name} needs weights")
        if self.name == "yamnet":
            from export.yamnet.extractor import YamnetExtractor  # noqa: PLC0415

            return YamnetExtractor(self.weights)
        if self.name == "vggish":
            from export.embeddings.vggish import VggishExtractor  # noqa: PLC0415

            return VggishExtractor(self.weights)
        from export.embeddings.openl3 import OpenL3Extractor  # noqa: PLC0415

        return OpenL3Extractor(self.weights)


@functools.lru_cache(maxsize=len(FEATURES))
def opened(feature: Feature) -> Extractor:
    """The extractor, opened once in each process: a network takes seconds to load."""
    keep_buffers()
    # One thread, as our own runtimes have it: there is a process for each core, and costs are to be compared.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    return feature.open()
