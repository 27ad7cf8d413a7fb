"""export.commands.train, evaluate and convert: from a tiny corpus to a model that the device loads."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from export_fakes import rows_of, write_own
from hearing_fakes import chord, clicks, noise, scene, time_axis

from device.errors import ModelError
from device.hearing.classifier import Classifier
from device.hearing.models.loading import Model, load_model
from device.hearing.models.sidecar import Calibration
from device.hearing.patch_cutter import PatchCutter
from device.hearing.statistics.statistics import NAMES, VERSION, WINDOW_PATCHES
from device.sound import SAMPLE_RATE, FloatArray
from export.__main__ import main
from export.convert import sidecar
from export.convert.onnx import OUTPUT, convert
from export.corpus.dataset import COLUMNS, load_corpus
from export.corpus.features import vectors
from export.estimators.logistic import fit
from export.estimators.parity import largest_difference

ROOT = Path(__file__).parents[1]

SECONDS = 14.0

# Names that the recipe's splits know; the sounds are made here.
PACKAGES = {
    "music": {
        "train": [
            "hyperrogue-music",
            "planetblupi-music-ogg",
            "singularity-music",
            "ufoai-music",
            "warzone2100-music",
        ],
        "validation": ["asc-music", "fretsonfire-songs-sectoid"],
        "test": ["bambam"],
    },
    "no_music": {
        "train": ["blobwars-data", "funnyboat", "focuswriter", "tuxtype-data", "trackballs-data"],
        "validation": ["festvox-ru", "crrcsim-data"],
        "test": ["kolf"],
    },
}


def song(number: int) -> FloatArray:
    """Chords that change, and a beat."""
    root = 1 + 0.07 * number
    steps = [(1.0, 1.26, 1.5), (1.33, 1.68, 2.0), (1.5, 1.89, 2.24), (1.0, 1.2, 1.5)]
    chords = [chord(1.0, frequencies_hz=[261.63 * root * step for step in steps[i % 4]]) for i in range(14)]
    beat = clicks(SECONDS, np.arange(0.05, SECONDS - 0.1, 0.4 + 0.03 * number), seed=number)
    return np.clip(0.7 * np.concatenate(chords) + 0.4 * beat, -1, 1).astype(np.float32)


def babble(number: int) -> FloatArray:
    """Bursts of noise like syllables, with pauses, never in time."""
    generator = np.random.default_rng(number)
    loudness = np.interp(
        time_axis(SECONDS), np.sort(generator.uniform(0, SECONDS, 80)), generator.uniform(0, 1, 80) ** 2
    )
    return (noise(SECONDS, level_dbfs=-12, seed=number) * loudness).astype(np.float32)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus as the builder lays it out: a stream a package."""
    root = tmp_path_factory.mktemp("corpus")
    lines = [",".join(COLUMNS)]
    number = 0
    for label, splits in PACKAGES.items():
        for package in (name for names in splits.values() for name in names):
            number += 1
            file = f"{package}__{label}.wav"
            soundfile.write(root / file, song(number) if label == "music" else babble(number), SAMPLE_RATE)
            lines.append(f"{file},{label},made,{package},0.0,{SECONDS},made/{number}")
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")
    return root


@dataclass(frozen=True)
class Trained:
    """What one run of `oido-export train logistic` left behind."""

    code: int
    out: Path
    cache: Path

    @property
    def document(self) -> dict[str, Any]:
        """The sidecar."""
        document = json.loads((self.out / "logistic.json").read_text())
        assert isinstance(document, dict)
        return document

    @property
    def model(self) -> Model:
        """As the device loads it."""
        return load_model(str(self.out / "logistic.json"))


def words(corpus: Path, cache: Path) -> list[str]:
    """Options that say where data are."""
    return ["--corpus", str(corpus), "--cache", str(cache), "--jobs", "1"]


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One run for all tests: it takes several seconds."""
    return train(corpus, tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's own: albums and rooms, two files in each, which are called alike but for a number."""
    sounds = {}
    for number in range(8):
        for part in range(2):
            sounds[f"music/gig-{number}/{part}.wav"] = song(2 * number + part)[: 5 * SAMPLE_RATE]
            sounds[f"no_music/room-{number}/{part}.wav"] = babble(2 * number + part)[: 5 * SAMPLE_RATE]
    return write_own(tmp_path_factory.mktemp("own"), sounds)


def train(corpus: Path, folder: Path) -> Trained:
    """In a process of its own, because OpenBLAS reads its number of threads only once; with one it is faster."""
    out, cache = folder / "models", folder / "cache"
    command = [sys.executable, "-m", "export", "train", "logistic", *words(corpus, cache), "--out", str(out)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return Trained(done.returncode, out, cache)


def test_albums_in_folders_train_and_evaluate_a_model(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every file is learnt from or judged on, once; files of one folder are one source."""
    made = train(own, tmp_path)
    assert made.code == 0
    kept = [path.stem for path in made.cache.glob("*/*.npz")]
    assert sorted(name for name in kept if "synthetic" not in name) == sorted(
        f"{package}-{number}__{label}__{part}.wav"
        for package, label in (("gig", "music"), ("room", "no_music"))
        for number in range(8)
        for part in range(2)
    )
    assert main(["evaluate", str(made.out / "logistic.json"), *words(own, made.cache), "--no-yamnet"]) == 0
    clean = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| logistic | clean |"))
    held_out = [stream for stream in load_corpus(own).streams if stream.split == "test"]
    packages = {stream.package for stream in held_out}
    assert len(held_out) == 2 * len(packages)
    rows = len(vectors(held_out[0].read()))
    assert clean.split(" | ")[3:5] == [str(rows * len(held_out)), str(len(packages))]


def test_training_leaves_a_model_and_its_sidecar(trained: Trained) -> None:
    """Nothing else, and nothing half written."""
    assert trained.code == 0
    assert sorted(path.name for path in trained.out.iterdir()) == ["logistic.json", "logistic.onnx"]


def test_the_sidecar_is_complete(trained: Trained) -> None:
    """Whatever the design asks of it."""
    document = trained.document
    assert document["sha256"] == hashlib.sha256((trained.out / "logistic.onnx").read_bytes()).hexdigest()
    assert (document["kind"], document["output"]["labels"]) == ("statistics", ["no_music", "music"])
    assert document["input"]["window_patches"] == WINDOW_PATCHES
    assert document["input"]["statistics_version"] == VERSION
    assert set(document["metrics"]) == {"clean", "level", "room"}
    assert document["training_data"]["corpus"]
    assert {"quantisation", "licence", "commit"} <= set(document)
    low, middle, high = (document["thresholds"][mode] for mode in ("recall", "balanced", "precision"))
    assert 0 < low <= middle <= high < 1


def test_the_device_hears_with_it(trained: Trained) -> None:
    """Music and no music that were not in the corpus are told apart."""
    said = {}
    for name, sound in (("song", song(99)), ("babble", babble(99))):
        classifier = Classifier(trained.model)
        said[name] = [classifier.answer(patch).probability for patch in PatchCutter().feed(sound)][-1]
    at = trained.document["thresholds"]["balanced"]
    assert said["babble"] < at <= said["song"]


def test_evaluating_finds_the_same_figures(
    trained: Trained, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Heard section by section, through the device, as from all rows at once."""
    words_of_evaluate = [*words(corpus, trained.cache), "--no-yamnet", "--granularity", "answer"]
    assert main(["evaluate", str(trained.out / "logistic.json"), *words_of_evaluate]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| logistic ")]
    assert [line.split(" | ")[1] for line in lines] == ["clean", "level", "room"]
    for line, variant in zip(lines, ("clean", "level", "room"), strict=True):
        assert f" | {trained.document['metrics'][variant]['f1']['value']:.4f} [" in line


def test_the_converted_model_says_the_same(tmp_path: Path) -> None:
    """ONNX and scikit-learn differ by less than 1e-4, far out as well."""
    rows = rows_of(music="mn" * 50, packages="ab" * 50)
    pipeline = fit(rows, c=0.01)
    path = write_model(tmp_path, convert(pipeline, rows.features[:1]))
    features = np.concatenate((rows.features, 10 * rows.features, scene_vectors()))
    assert largest_difference(load_model(str(path)), pipeline, features) <= 1e-4


def scene_vectors() -> FloatArray:
    """Real features."""
    return vectors(scene(6.0))


def write_model(folder: Path, content: bytes, **changes: Any) -> Path:
    """A sidecar that is complete but for the changes."""
    stated: dict[str, Any] = {
        "name": "tiny",
        "kind": "statistics",
        "suffix": ".onnx",
        "content": content,
        "output": OUTPUT,
        "inputs": {"window_patches": 1, "statistics_version": VERSION, "features": list(NAMES)},
        "calibration": Calibration(),
        "thresholds": {"balanced": 0.5, "precision": 0.9, "recall": 0.1},
        "training_data": {},
        "metrics": {},
    }
    return sidecar.write(folder, **(stated | changes))


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration(),
        Calibration("platt", slope=1.5, offset=-0.25),
        Calibration("temperature", slope=0.5),
        Calibration("isotonic", raw=(0.0, 0.5, 1.0), calibrated=(0.0, 0.75, 1.0)),
    ],
)
def test_what_is_written_is_what_is_read(tmp_path: Path, calibration: Calibration) -> None:
    """Every calibration comes back as it was."""
    rows = rows_of(music="mn" * 10, packages="ab" * 10)
    path = write_model(tmp_path, convert(fit(rows, c=1.0), rows.features[:1]), calibration=calibration)
    assert load_model(str(path)).sidecar.calibration == calibration


def test_a_model_is_replaced_whole(tmp_path: Path) -> None:
    """Writing again leaves a pair that matches, and no part."""
    write_model(tmp_path, b"old")
    write_model(tmp_path, b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.json", "tiny.onnx"]
    with pytest.raises(ModelError, match="not a usable ONNX model"):  # the checksum matched
        load_model(str(tmp_path / "tiny.json"))
