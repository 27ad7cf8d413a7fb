"""Files of weights that others publish."""

import gzip
import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from embeddings_fakes import write_h5

from export.embeddings.weights import Published, checksum, read_layers
from export.errors import ExportError

PUBLISHED = Published("net.h5", "https://example.org/net.h5", hashlib.sha256(b"weights").hexdigest())


def test_the_published_file_is_known(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is said about it."""
    (tmp_path / "net.h5").write_bytes(b"weights")
    with caplog.at_level(logging.INFO):
        found = checksum(tmp_path / "net.h5", network="Net", published=[PUBLISHED])
    assert found == PUBLISHED.sha256
    assert not caplog.messages


def test_another_file_is_used_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its own checksum stands in it."""
    (tmp_path / "net.h5").write_bytes(b"fine-tuned")
    found = checksum(tmp_path / "net.h5", network="Net", published=[PUBLISHED])
    assert found == hashlib.sha256(b"fine-tuned").hexdigest()
    assert caplog.records[0].levelno == logging.WARNING
    assert found in caplog.text


def test_where_no_checksum_is_known_the_one_found_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As information: there is nothing to warn of."""
    (tmp_path / "net.h5").write_bytes(b"weights")
    unknown = Published("net.h5", "https://example.org/net.h5", None)
    with caplog.at_level(logging.INFO):
        found = checksum(tmp_path / "net.h5", network="Net", published=[unknown])
    assert found in caplog.text
    assert caplog.records[0].levelno == logging.INFO
    assert "no SHA-256 of it is known here" in str(unknown)


def test_a_missing_file_says_where_to_get_it(tmp_path: Path) -> None:
    """One sentence: the path, what is wrong, the address, the checksum."""
    with pytest.raises(ExportError) as caught:
        checksum(tmp_path / "none.h5", network="Net", published=[PUBLISHED])
    said = str(caught.value)
    assert "\n" not in said
    for part in (str(tmp_path / "none.h5"), "No such file", PUBLISHED.address, str(PUBLISHED.sha256)):
        assert part in said


class TestLayeredH5:
    """The layout of Keras before 3."""

    LAYERS: ClassVar[Mapping[str, Mapping[str, np.ndarray]]] = {
        "b": {"kernel": np.ones((2, 3), np.float32), "bias": np.zeros(3, np.float32)},
        "relu": {},
        "a/bn": {"moving_mean": np.arange(3, dtype=np.float32)},
    }

    @pytest.fixture(autouse=True)
    def _h5py(self) -> None:
        pytest.importorskip("h5py", reason="h5py comes with TensorFlow; pip install 'oido[train]'")

    @pytest.mark.parametrize("group", [None, "model_weights"])
    def test_layers_with_weights_come_in_the_files_order(self, tmp_path: Path, group: str | None) -> None:
        """By the names they were written with, whether the file has the weights or a whole model."""
        found = read_layers(write_h5(tmp_path / "net.h5", self.LAYERS, group=group))
        assert list(found) == ["b", "a/bn"]
        assert list(found["b"]) == ["kernel", "bias"]
        np.testing.assert_array_equal(found["a/bn"]["moving_mean"], [0, 1, 2])

    def test_a_compressed_file_is_read_as_it_is(self, tmp_path: Path) -> None:
        """OpenL3's are published so."""
        plain = write_h5(tmp_path / "net.h5", self.LAYERS)
        packed = tmp_path / "net.h5.gz"
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        assert list(read_layers(packed)) == ["b", "a/bn"]

    @pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x1f\x8b cut short"])
    def test_anything_else_is_refused(self, tmp_path: Path, content: bytes) -> None:
        """In one sentence."""
        (tmp_path / "net.h5").write_bytes(content)
        with pytest.raises(ExportError, match="not a file of Keras weights"):
            read_layers(tmp_path / "net.h5")

    def test_a_file_without_layers_is_refused(self, tmp_path: Path) -> None:
        """Such as one that Keras 3 wrote."""
        h5py = pytest.importorskip("h5py", reason="h5py comes with TensorFlow")
        with h5py.File(tmp_path / "net.h5", "w") as file:
            file.create_group("layers")
        with pytest.raises(ExportError, match="not a file of Keras weights"):
            read_layers(tmp_path / "net.h5")
