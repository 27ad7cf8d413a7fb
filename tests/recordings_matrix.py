"""Recordings of every format, rate, channel count and length, and what can happen to them; made with ffmpeg.

Each sounds different in every tenth of a second, so that none can go missing unnoticed.
"""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.sound import SAMPLE_RATE, FloatArray
from device.sources.ffmpeg import AuReader

SOURCE_S, OTHER_S = 4.0, 1.5

Damage = Callable[[bytes, bytes], bytes]
"""The file and another of the same format but other sound, rate and channels -> the damaged file."""


@dataclass(frozen=True)
class Encoding:
    """A way to write sound."""

    name: str
    suffix: str
    options: str
    """Of ffmpeg."""
    shapes: tuple[tuple[int, int], ...] = (
        (8_000, 1),
        (16_000, 2),
        (44_100, 2),
        (48_000, 1),
        (22_050, 1),
        (48_000, 2),
    )
    """(rate in Hz, channels)"""
    needs_ffmpeg: bool = False
    """Also to be read."""


HIGH = ((44_100, 2), (48_000, 1), (48_000, 6), (96_000, 2))
CODED = ((44_100, 2), (48_000, 1), (32_000, 2))
ENCODINGS = (
    Encoding("u8", "wav", "-c:a pcm_u8"),
    Encoding("s16", "wav", "-c:a pcm_s16le", (*HIGH, (8_000, 1))),
    Encoding("s24", "wav", "-c:a pcm_s24le", HIGH),
    Encoding("s32", "wav", "-c:a pcm_s32le", HIGH),
    Encoding("f32", "wav", "-c:a pcm_f32le", HIGH),
    Encoding("f64", "wav", "-c:a pcm_f64le", HIGH),
    Encoding("mulaw", "wav", "-c:a pcm_mulaw", ((8_000, 1), (16_000, 2))),
    Encoding("ima", "wav", "-c:a adpcm_ima_wav", ((16_000, 1), (44_100, 2))),
    Encoding("ms", "wav", "-c:a adpcm_ms", ((16_000, 1), (44_100, 2))),
    Encoding("mp3", "wav", "-c:a libmp3lame -write_xing 0", ((44_100, 1), (22_050, 2))),
    Encoding("rf64", "wav", "-c:a pcm_s16le -rf64 always", HIGH),
    Encoding("s16", "aiff", "-c:a pcm_s16be", HIGH),
    Encoding("s16", "au", "-c:a pcm_s16be", HIGH),
    Encoding("s16", "caf", "-c:a pcm_s16le", HIGH),
    Encoding("s16", "w64", "-c:a pcm_s16le", HIGH),
    Encoding("16", "flac", "-sample_fmt s16", (*HIGH, (8_000, 1))),
    Encoding("24", "flac", "-sample_fmt s32", HIGH),
    Encoding("vorbis", "ogg", "-c:a libvorbis -q:a 3"),
    Encoding("flac", "ogg", "-c:a flac", ((44_100, 2), (16_000, 1))),
    Encoding("opus", "opus", "-c:a libopus -b:a 48k", ((48_000, 1), (48_000, 2), (16_000, 1))),
    Encoding("cbr", "mp3", "-b:a 64k"),
    Encoding("vbr", "mp3", "-q:a 5"),
    Encoding("cbr-untagged", "mp3", "-b:a 64k -write_xing 0 -id3v2_version 0"),
    Encoding("vbr-untagged", "mp3", "-q:a 5 -write_xing 0 -id3v2_version 0"),
    Encoding("mp2", "mp2", "-c:a mp2 -b:a 160k", ((44_100, 2), (48_000, 2))),
    Encoding("aac", "m4a", "-c:a aac", CODED, needs_ffmpeg=True),
    Encoding("fast-aac", "m4a", "-c:a aac -movflags +faststart", CODED, needs_ffmpeg=True),
    Encoding("adts", "aac", "-c:a aac", CODED, needs_ffmpeg=True),
    Encoding("alac", "m4a", "-c:a alac", CODED, needs_ffmpeg=True),
    Encoding("wma", "wma", "-c:a wmav2", CODED, needs_ffmpeg=True),
    Encoding("opus", "webm", "-c:a libopus", ((48_000, 1), (48_000, 2)), needs_ffmpeg=True),
    Encoding("vorbis", "mka", "-c:a libvorbis", CODED, needs_ffmpeg=True),
    Encoding("mp3", "mp4", "-c:a libmp3lame", CODED, needs_ffmpeg=True),
    Encoding("ac3", "ac3", "-c:a ac3", CODED, needs_ffmpeg=True),
    Encoding("wavpack", "wv", "-c:a wavpack", CODED, needs_ffmpeg=True),
    Encoding("tta", "tta", "-c:a tta", CODED, needs_ffmpeg=True),
)
_ALIKE = 0.9
"""Correlation of the same half second, decoded by two decoders; of two different ones it is 0.3."""
LENGTHS_S = (0.06, 0.7, 1.0, 2.5)


@dataclass(frozen=True)
class Case:
    """One recording of the matrix."""

    encoding: Encoding
    rate_hz: int
    channels: int
    seconds: float = SOURCE_S
    damage: str = ""

    @property
    def wrong_header(self) -> bool:
        """Whether all of its sound is there and only its header is wrong."""
        return self.damage in HEADERS.get(self.encoding.suffix, {})

    def __str__(self) -> str:
        """Name it in the tests' output."""
        words = (self.encoding.name, self.rate_hz, self.channels, self.seconds, *filter(None, [self.damage]))
        return "-".join(map(str, words)) + f".{self.encoding.suffix}"


def junk(count: int) -> bytes:
    """Bytes that are nothing."""
    return np.random.default_rng(count).bytes(count)


def _inserted(data: bytes, what: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + what + data[middle:]


def _overwritten(data: bytes, what: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + what + data[middle + len(what) :]


DAMAGES: dict[str, Damage] = {
    "cut-to-a-third": lambda data, _: data[: len(data) // 3],
    "cut-by-99-bytes": lambda data, _: data[:-99],
    "zeros-after": lambda data, _: data + bytes(50_000),
    "junk-after": lambda data, _: data + junk(20_000),
    "tag-after": lambda data, _: data + b"TAG" + bytes(125),
    "junk-inside": lambda data, _: _inserted(data, junk(3_000)),
    "zeros-inside": lambda data, _: _inserted(data, bytes(30_000)),
    "zeros-over": lambda data, _: _overwritten(data, bytes(3_000)),
    "junk-before": lambda data, _: junk(3_000) + data,
    "twice": lambda data, _: data + data,
    "another-after": lambda data, other: data + other,
}
"""What can happen to any file."""


def _sizes(data: bytes, size: int) -> bytes:
    """A WAV whose sizes are this."""
    head = bytearray(data)
    at = data.index(b"data", 12) + 4
    head[4:8] = head[at : at + 4] = size.to_bytes(4, "little")
    if data[:4] == b"RF64":
        head[4:8] = head[at : at + 4] = b"\xff" * 4
        head[20:36] = size.to_bytes(8, "little") * 2
    return bytes(head)


def _flac_samples(data: bytes, share: float) -> bytes:
    """A FLAC that says that it has so many times the samples it has."""
    field = int.from_bytes(data[18:26], "big")
    samples = field & 0xF_FFFF_FFFF
    return data[:18] + (field - samples + int(samples * share)).to_bytes(8, "big") + data[26:]


HEADERS: dict[str, dict[str, Damage]] = {
    "wav": {
        "sizes-0": lambda data, _: _sizes(data, 0),
        "sizes-unknown": lambda data, _: _sizes(data, 0xFFFF_FFFF),
        "sizes-too-big": lambda data, _: _sizes(data, 100_000_000),
        "sizes-too-small": lambda data, _: _sizes(data, 10_000),
    },
    "flac": {
        "samples-0": lambda data, _: _flac_samples(data, 0),
        "samples-too-few": lambda data, _: _flac_samples(data, 0.4),
    },
    "au": {"size-0": lambda data, _: data[:8] + bytes(4) + data[12:]},
    "caf": {
        "size-unknown": lambda data, _: data.replace(data[_caf(data) : _caf(data) + 8], b"\xff" * 8, 1),
        "size-0": lambda data, _: data.replace(data[_caf(data) : _caf(data) + 8], bytes(8), 1),
    },
}
"""Lengths in headers that are wrong; all of the sound is there."""


def _caf(data: bytes) -> int:
    return data.index(b"data") + 4


def cases() -> Iterator[Case]:
    """All of them."""
    for encoding in ENCODINGS:
        for rate_hz, channels in encoding.shapes:
            yield Case(encoding, rate_hz, channels)
        rate_hz, channels = encoding.shapes[0]
        for seconds in LENGTHS_S:
            yield Case(encoding, rate_hz, channels, seconds)
        for damage in (*DAMAGES, *HEADERS.get(encoding.suffix, {})):
            yield Case(encoding, rate_hz, channels, damage=damage)


class Matrix:
    """Makes recordings in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._source(folder / "source.wav", seed=1)
        self._source(folder / "other.wav", seed=2)

    def good(self, case: Case, *, source: str = "source.wav") -> Path:
        """The recording as it was before it was damaged."""
        name = f"{source}-{case.encoding.name}-{case.rate_hz}-{case.channels}-{case.seconds}"
        path = self._folder / f"{name}.{case.encoding.suffix}"
        if not path.exists():
            options = [*case.encoding.options.split(), "-ar", str(case.rate_hz), "-ac", str(case.channels)]
            run(["ffmpeg", "-v", "error", "-i", self._folder / source, "-t", str(case.seconds), *options, path])
        return path

    def make(self, case: Case) -> Path:
        """The recording."""
        good = self.good(case)
        if not case.damage:
            return good
        rate_hz, channels = case.encoding.shapes[1]
        other = self.good(Case(case.encoding, rate_hz, channels, OTHER_S), source="other.wav")
        damage = {**DAMAGES, **HEADERS.get(case.encoding.suffix, {})}[case.damage]
        path = self._folder / f"damaged-{case}"
        path.write_bytes(damage(good.read_bytes(), other.read_bytes()))
        return path

    @staticmethod
    def _source(path: Path, *, seed: int) -> None:
        """Six tones of speech's and music's pitch, others in each tenth of a second."""
        random = np.random.default_rng(seed)
        time_s = np.arange(4_800) / 48_000
        pieces = [
            np.sin(2 * np.pi * random.uniform(200, 3_000, (6, 1)) * time_s).sum(axis=0)
            for _ in range(round(SOURCE_S * 10))
        ]
        samples = (np.concatenate(pieces) * 5_000).clip(-32_768, 32_767).astype("<i2")
        command: list[str | Path] = [
            "ffmpeg",
            "-v",
            "error",
            "-f",
            "s16le",
            "-ar",
            "48000",
            "-ac",
            "1",
            "-i",
            "-",
            "-ac",
            "2",
            path,
        ]
        subprocess.run(command, input=samples.tobytes(), check=True)


def run(command: list[str | Path]) -> bytes:
    """What a program writes; its complaints are not of interest."""
    return subprocess.run(command, capture_output=True, check=True).stdout


def decoded_by_ffmpeg(path: Path) -> FloatArray:
    """(n,) mono at 16 kHz: as much as ffmpeg decodes, the mean of its channels; empty if it refuses."""
    options = ["-map", "0:a:0", "-ar", str(SAMPLE_RATE), "-c:a", "pcm_s16be", "-f", "au", "-"]
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-i", path, *options], capture_output=True, check=False
    )
    mono: FloatArray = AuReader().feed(done.stdout).mean(axis=1)
    return mono


def likeness(heard: FloatArray, truth: FloatArray) -> float:
    """Which share of the half seconds of one sound are in another, where they should be or 0.35 s from there."""
    step, slack = SAMPLE_RATE // 2, int(0.35 * SAMPLE_RATE)
    padded = np.pad(heard, (slack, slack + step + max(0, len(truth) - len(heard))))
    starts = range(0, max(1, len(truth) - step + 1), step)
    found = [_correlation(padded[at : at + step + 2 * slack], truth[at : at + step]) > _ALIKE for at in starts]
    return sum(found) / len(found)


def _correlation(where: FloatArray, what: FloatArray) -> float:
    """How well the second fits somewhere into the first, at most 1."""
    size = 1 << (len(where) + len(what)).bit_length()
    products = np.fft.irfft(np.fft.rfft(where, size) * np.conj(np.fft.rfft(what, size)), size)
    power = np.concatenate(([0.0], np.cumsum(where.astype(float) ** 2)))
    places = max(1, len(where) - len(what) + 1)
    powers = (power[len(what) :][:places] - power[:places]).clip(1e-9)
    return float(np.max(products[:places] / np.sqrt(powers * max(1e-9, float(np.dot(what, what))))))
