"""No network at all: the sixty statistics that `logistic` reads, one row a patch."""

from device.hearing.statistics.statistics import NAMES, VERSION
from device.sound import FloatArray
from export.corpus.features import vectors
from export.embeddings.base import whole_patches

_CODE = 1
"""Goes up whenever the same statistics are taken otherwise."""


class CepstralExtractor:
    """Cepstral, spectral, rhythm and tone statistics; each patch's look back on up to 4.8 s, within the sound."""

    name = "cepstral"
    size = len(NAMES)
    version = f"cepstral-{_CODE}-{VERSION}"

    def embed(self, samples: FloatArray) -> FloatArray:
        """(n,) float32, 16 kHz mono -> (patches, 60) float32."""
        return vectors(whole_patches(samples))
