"""Our own embedder, the int8 file, in the runtime that the device runs it in."""

import numpy as np

from device.hearing.models.loading import PatchModel, load_model
from device.sound import FloatArray
from export.embeddings.base import log_mel_patches
from export.errors import ExportError

_CODE = 1
"""Goes up whenever the same file gives other embeddings."""


class OursExtractor:
    """The `embedder`, by name or path of its sidecar, behind the device's front end.

    Raises:
        ModelError: it cannot be loaded.
        ExportError: it is no embedder.
    """

    name = "ours"

    def __init__(self, reference: str = "embedder") -> None:
        model = load_model(reference)
        if not isinstance(model, PatchModel):
            raise ExportError(
                f"{reference}: is of kind {model.sidecar.kind!r}; embeddings need one of kind 'patch'"
            )
        self._model = model
        self.size = model.input.embedding_size
        self.version = f"ours-{_CODE}-{model.sidecar.sha256[:12]}"

    def embed(self, samples: FloatArray) -> FloatArray:
        """(n,) float32, 16 kHz mono -> (patches, 128) float32.

        Raises:
            ModelError: the file does not take patches.
        """
        return self.patch_embeddings(log_mel_patches(samples, log_offset=self._model.input.log_offset))

    def patch_embeddings(self, patches: FloatArray) -> FloatArray:
        """(n, 96, 64) log-mel patches -> (n, 128) embeddings."""
        return np.stack([self._model.embed(patch)[1] for patch in patches]).astype(np.float32, copy=False)
