"""The extractors that are compared, by name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from export.embeddings.base import Extractor
from export.embeddings.feature import Origin

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
