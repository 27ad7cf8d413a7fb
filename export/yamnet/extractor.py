"""YAMNet behind our exact front end: 1024 values a patch."""

from functools import cached_property
from pathlib import Path
from typing import Any

from device.sound import FloatArray
from export.embeddings.base import in_batches, log_mel_patches
from export.embeddings.weights import checksum
from export.frameworks import tensorflow
from export.yamnet.int8 import bounded
from export.yamnet.network import EMBEDDING, Head, build
from export.yamnet.weights import PUBLISHED, read

_CODE = 1
"""Goes up whenever the same weights give other embeddings."""

_BATCH = 64


class YamnetExtractor:
    """The mean activation of YAMNet's last layer, before its classes.

    TensorFlow is imported with the first sound, so that a description can be sent to another process and cached
    embeddings need no TensorFlow.

    Args:
        path: Google's `yamnet.tflite` or `yamnet.h5`.

    Raises:
        ExportError: the file is missing, damaged or another network's.
    """

    name = "yamnet"
    size = EMBEDDING

    def __init__(self, path: Path) -> None:
        self.version = f"yamnet-{_CODE}-{checksum(path, network='YAMNet', published=PUBLISHED)[:12]}"
        self._weights = read(path)

    def embed(self, samples: FloatArray) -> FloatArray:
        """(n,) float32, 16 kHz mono -> (patches, 1024) float32, none below 0.

        Raises:
            ExportError: TensorFlow is not installed.
        """
        return self.patch_embeddings(log_mel_patches(samples))

    def patch_embeddings(self, patches: FloatArray) -> FloatArray:
        """(n, 96, 64) log-mel patches, wherever they come from -> (n, 1024) embeddings."""
        return self._run(patches, "embedding")

    def scores(self, samples: FloatArray) -> FloatArray:
        """(n,) float32, 16 kHz mono -> (patches, 521) scores in [0, 1], one a class of AudioSet.

        Raises:
            ExportError: TensorFlow is not installed.
        """
        return self.patch_scores(log_mel_patches(samples))

    def patch_scores(self, patches: FloatArray) -> FloatArray:
        """(n, 96, 64) log-mel patches, wherever they come from -> (n, 521) scores."""
        return self._run(patches, "scores")

    def deployable(self, representative: FloatArray, *, head: Head | None = None) -> Any:
        """The network as a device has it, to be converted to int8: outputs `embedding` (1024) and `scores`.

        Args:
            representative: (n, 96, 64) real features, both loud and quiet; convert it with the same.
            head: what gives the scores from the embedding; None is Google's own, 521 classes.

        Raises:
            ExportError: TensorFlow is not installed.
        """
        tensorflow("YAMNet as a Keras network")
        return build(bounded(self._weights, representative), batch_size=1, head=head)

    def rebuilt(self, *, head: Head | None = None) -> Any:
        """The network as published, with another head or its own: what `deployable` is compared with.

        Raises:
            ExportError: TensorFlow is not installed.
        """
        tensorflow("YAMNet as a Keras network")
        return build(self._weights, batch_size=1, head=head)

    @property
    def head(self) -> Head:
        """Google's own, for the 521 classes."""
        return self._weights.head

    def _run(self, patches: FloatArray, output: str) -> FloatArray:
        graph = self._graph
        return in_batches(lambda batch: graph(batch)[output], patches, size=_BATCH)

    @cached_property
    def _graph(self) -> Any:
        """Traced once: called layer by layer it says the same, but takes almost three times as long."""
        tf = tensorflow("YAMNet as a Keras network")
        network = build(self._weights)
        patches = tf.TensorSpec((None, *network.inputs[0].shape[1:]), tf.float32)
        return tf.function(lambda batch: network(batch, training=False), input_signature=[patches])
