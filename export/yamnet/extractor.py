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

    TensorFlow is imported with the first sound: a description can be sent to another process, and cached
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

    def patch_scores(self, patches: FloatArray) -> FloatArray:
        """(n, 96, 64) log-mel patches, wherever they come from -> (n, 521) scores."""
        return self._run(patches, "scores")

    def network(self, head: Head, *, representative: FloatArray | None = None) -> Any:
        """The Keras network of batch 1 with a head: outputs `embedding` (1024) and `scores`.

        Args:
            head: what gives the scores from the embedding.
            representative: (n, 96, 64) real features, both loud and quiet: the network is scaled for int8 on them,
                and is to be converted with the same. None leaves it as it was published.

        Raises:
            ExportError: TensorFlow is not installed.
        """
        tensorflow("YAMNet as a Keras network")
        weights = self._weights if representative is None else bounded(self._weights, representative)
        return build(weights, batch_size=1, head=head)

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
