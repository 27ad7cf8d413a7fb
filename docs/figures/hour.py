"""Makes docs/figures/hour.png: a composed hour of sound, as `oido classify --plot` draws it.

    python docs/figures/hour.py [--seed 0] [--keep hour.flac]

The sound is of the test packages of the open training corpus, which no model was trained or tuned on: music,
speech, the noises of games, music under speech, and the room itself, in takes of one to six minutes, each at its
own level. `oido-export corpus build` makes that corpus where it is not there. The hour is the same each time; what
oido says of it is printed beside what it is made of.
"""

# ruff: noqa: INP001, T201 - a script, in a folder of pictures; it prints

import argparse
import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import soundfile

from device.cli import main as oido
from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.dataset import find_corpus, load_corpus
from export.corpus.streams import Corpus
from export.training.scenes import loudness

Part = Literal["music", "speech", "noises", "both", "room"]

PROGRAMME: tuple[tuple[Part, int], ...] = (
    ("room", 100), ("speech", 200), ("music", 290), ("both", 130), ("music", 180), ("noises", 220),
    ("room", 80), ("music", 340), ("speech", 260), ("both", 210), ("noises", 130), ("music", 150),
    ("speech", 60), ("music", 230), ("room", 140), ("noises", 170), ("speech", 150), ("music", 360),
    ("room", 200),
)  # fmt: skip
"""Seconds; 3,600 in all."""

ROOM_DBFS = -62.0
LEVELS_DBFS = (-34.0, -16.0)
UNDER_DB = (-2.0, 6.0)
"""How much softer than the speech over it music is."""
FADE_S = 0.4


@dataclass(frozen=True, slots=True)
class Pools:
    """The sounds there are, each package's end to end."""

    music: tuple[FloatArray, ...]
    speech: tuple[FloatArray, ...]
    noises: tuple[FloatArray, ...]


def pools(corpus: Corpus) -> Pools:
    """Of the test split; what is shorter than ten seconds in all is left out."""

    def sounds(label: str, *, speech: bool) -> Iterator[FloatArray]:
        for stream in corpus.streams:
            if stream.split == "test" and stream.label == label:
                clips = [clip for clip in stream.clips if (clip.category == "speech") == speech]
                if sum(clip.duration_s for clip in clips) >= 10:  # noqa: PLR2004 - as said
                    yield np.concatenate([stream.read(clip.start_s, clip.duration_s) for clip in clips])

    return Pools(
        music=tuple(sounds("music", speech=False)),
        speech=tuple(sounds("no_music", speech=True)),
        noises=tuple(sounds("no_music", speech=False)),
    )


def compose(found: Pools, seed: int) -> FloatArray:
    """The hour."""
    generator = np.random.default_rng(seed)
    whole = np.zeros(sum(seconds for _, seconds in PROGRAMME) * SAMPLE_RATE, np.float32)
    at = 0
    for part, seconds in PROGRAMME:
        size = seconds * SAMPLE_RATE
        if part != "room":
            whole[at : at + size] = _take(found, part, size, generator)
        at += size
    noise = generator.standard_normal(len(whole)).astype(np.float32)
    clipped: FloatArray = np.clip(whole + _at_level(noise, ROOM_DBFS), -1, 1)
    return clipped


def _take(found: Pools, part: Part, size: int, generator: np.random.Generator) -> FloatArray:
    level_dbfs = float(generator.uniform(*LEVELS_DBFS))
    if part == "both":
        speech = _at_level(_excerpt(found.speech, size, generator), level_dbfs)
        under_db = float(generator.uniform(*UNDER_DB))
        sound = speech + _at_level(_excerpt(found.music, size, generator), level_dbfs - under_db)
    else:
        choice = {"music": found.music, "speech": found.speech, "noises": found.noises}[part]
        sound = _at_level(_excerpt(choice, size, generator), level_dbfs)
    fade = np.linspace(0, 1, round(FADE_S * SAMPLE_RATE), dtype=np.float32)
    sound[: len(fade)] *= fade
    sound[-len(fade) :] *= fade[::-1]
    return sound


def _excerpt(sounds: tuple[FloatArray, ...], size: int, generator: np.random.Generator) -> FloatArray:
    """So many samples of one package after another, beginning anywhere."""
    parts: list[FloatArray] = []
    missing = size
    for index in np.tile(generator.permutation(len(sounds)), 1 + size // (10 * SAMPLE_RATE)):
        sound = sounds[index]
        start = int(generator.integers(max(1, len(sound) - missing)))
        parts.append(sound[start : start + missing])
        missing -= len(parts[-1])
        if missing == 0:
            break
    return np.concatenate(parts)


def _at_level(sound: FloatArray, level_dbfs: float) -> FloatArray:
    """As loud, where there is something to hear."""
    scaled: FloatArray = sound * np.float32(10 ** (level_dbfs / 20) / max(loudness(sound), 1e-9))
    return scaled


def agreement(lines: list[dict[str, object]]) -> Iterator[str]:
    """For each take, which part of it oido takes for music."""
    heard = np.zeros(sum(seconds for _, seconds in PROGRAMME) * 10, bool)
    for line in lines:
        if line["label"] == "music":
            heard[round(float(str(line["onset"])) * 10) : round(float(str(line["offset"])) * 10)] = True
    at = 0
    for part, seconds in PROGRAMME:
        share = heard[at * 10 : (at + seconds) * 10].mean()
        yield f"{at // 60:3d}:{at % 60:02d}  {part:7} {seconds:4d} s  music {share:6.1%}"
        at += seconds


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="default: where it is found")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("hour.png"), metavar="PICTURE")
    parser.add_argument("--keep", type=Path, metavar="FLAC", help="keep the sound")
    arguments = parser.parse_args()
    hour = compose(pools(load_corpus(find_corpus(arguments.corpus))), arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.keep or Path(folder) / "hour.flac"
        soundfile.write(path, hour, SAMPLE_RATE)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            code = oido(["classify", str(path), "--plot", str(arguments.out)])
    print("\n".join(agreement([json.loads(line) for line in printed.getvalue().splitlines()])))
    return code


if __name__ == "__main__":
    sys.exit(main())
