"""The extractors that are compared, by name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from export.embeddings.base import Extractor
from export.embeddings.cepstral import CepstralExtractor
from export.embeddings.feature import Origin
from export.embeddings.openl3 import OpenL3Extractor
from export.embeddings.ours import OursExtractor
from export.embeddings.vggish import VggishExtractor
from export.yamnet.extractor import YamnetExtractor

FeatureName = Literal["cepstral", "ours", "yamnet", "vggish", "openl3"]

FEATURES: tuple[FeatureName, ...] = get_args(FeatureName)

PUBLISHED: tuple[FeatureName, ...] = ("yamnet", "vggish", "openl3")
"""Those whose weights the user provides."""


@dataclass(frozen=True, slots=True)
class NamedFeature:
    """One of those in `export.embeddings`."""

    name: FeatureName
    weights: Path | None = None
    """Of a published one."""

    @property
    def origin(self) -> Origin:
        """Where its embeddings come from."""
        return {"cepstral": "scratch", "ours": "own"}.get(self.name, "published")  # type: ignore[return-value]

    def open(self) -> Extractor:
        """Load it."""
        if self.name == "cepstral":
            return CepstralExtractor()
        if self.name == "ours":
            return OursExtractor()
        if self.weights is None:
            raise ValueError(f"{self.name} needs weights")
        if self.name == "yamnet":
            return YamnetExtractor(self.weights)
        return (VggishExtractor if self.name == "vggish" else OpenL3Extractor)(self.weights)
