"""Writes 15 s of every stream of the corpus's test split into a folder, for `bash tests/arm/run -a FOLDER`.

python tests/arm/subset.py FOLDER [CORPUS]

Needs the project with [export], and the corpus (`oido-export corpus build`).
"""

import sys
from pathlib import Path

import soundfile

sys.path.insert(0, str(Path(__file__).parents[2]))

from device.sound import SAMPLE_RATE
from export.corpus.dataset import find_corpus, load_corpus

SECONDS = 15.0


def main(folder: Path, corpus: Path | None) -> None:
    """Write them."""
    folder.mkdir(parents=True, exist_ok=True)
    for stream in load_corpus(find_corpus(corpus)).select(split="test"):
        # From the middle: many begin with silence.
        start_s = max(0.0, (stream.duration_s - SECONDS) / 2)
        name = f"{stream.path.stem}.flac"
        soundfile.write(folder / name, stream.read(start_s, SECONDS), SAMPLE_RATE)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
