"""export.evaluation.hearing and export.yamnet.official: sections become answers and segments."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeSource, blocks_of
from hearing_fakes import chord, noise, scene

from device.errors import ModelError
from device.hearing.classifier import Classifier
from device.hearing.decision import Decision, Rules
from device.hearing.models.loading import load_model
from device.pipeline import listen
from device.sound import SAMPLE_RATE, FloatArray
from export.errors import ExportError
from export.evaluation.hearing import SEGMENT_SAMPLES, DeviceModel, answers, segment_ends
from export.yamnet.official import RECENT_WINDOWS, OfficialYamnet, prepared_weights

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden" / "models"

every_kind = pytest.mark.parametrize(
    "reference", ["logistic", str(GOLDEN / "embedder.json"), str(GOLDEN / "attention.json")]
)

with_yamnet = pytest.mark.skipif(
    not prepared_weights().is_file(), reason=f"YAMNet's weights are not in {prepared_weights()}"
)


@every_kind
def test_answers_are_what_the_device_says(reference: str) -> None:
    """To the last bit, for a model of any kind."""
    samples, model = scene(24.0), load_model(reference)
    rules = Rules(on=0.5, off=0.4, min_on_s=1, min_off_s=1)
    live = listen(FakeSource(blocks_of(samples)), Classifier(model), Decision(rules))
    assert answers(samples, model) == [seen.score for seen in live if seen.score is not None]


@every_kind
def test_a_short_sound_has_one_answer_and_one_segment(reference: str) -> None:
    """As the device pads it."""
    heard = DeviceModel.of(reference).open().hear(noise(0.3))
    assert (heard.answers.shape, heard.segments.shape) == ((1,), (1,))


@pytest.mark.parametrize(
    ("seconds", "ends_s"), [(48.0, [9.6, 19.2, 28.8, 38.4, 48.0]), (20.0, [9.6, 19.2, 20.0]), (5.0, [5.0])]
)
def test_segments_fill_a_section(seconds: float, ends_s: list[float]) -> None:
    """Every 9.6 s, and what is left."""
    assert [end / SAMPLE_RATE for end in segment_ends(round(seconds * SAMPLE_RATE))] == ends_s


@every_kind
def test_a_segment_is_the_answer_nearest_to_its_end(reference: str) -> None:
    """Of those before and after it."""
    samples, model = scene(21.0), load_model(reference)
    scores = answers(samples, model)
    heard = DeviceModel.of(reference).open().hear(samples)
    assert heard.answers.tolist() == pytest.approx([score.probability for score in scores])
    for segment, end_s in zip(heard.segments, (9.6, 19.2, 21.0), strict=True):
        nearest = min(scores, key=lambda score: abs(score.heard - end_s * SAMPLE_RATE))
        assert segment == pytest.approx(nearest.probability)


def test_a_section_does_not_know_of_the_one_before() -> None:
    """The same sound is heard alike again."""
    ear = DeviceModel.of("logistic").open()
    first = ear.hear(chord(6.0))
    ear.hear(noise(6.0))
    assert np.array_equal(ear.hear(chord(6.0)).answers, first.answers)


def test_a_model_is_known_by_what_it_says(tmp_path: Path) -> None:
    """Another calibration is another model; other metrics or thresholds are not."""
    for name in ("logistic.json", "logistic.onnx"):
        shutil.copy(ROOT / "models" / name, tmp_path)
    path = tmp_path / "logistic.json"
    document = json.loads(path.read_text())
    before = DeviceModel.of(str(path))
    path.write_text(
        json.dumps(document | {"metrics": {}, "thresholds": dict.fromkeys(document["thresholds"], 0.5)})
    )
    assert DeviceModel.of(str(path)).digest == before.digest
    path.write_text(json.dumps(document | {"calibration": {"method": "none"}}))
    assert DeviceModel.of(str(path)).digest != before.digest


def test_a_model_can_go_by_another_name() -> None:
    """Otherwise by that of its sidecar."""
    assert DeviceModel.of("logistic").name == "logistic"
    assert DeviceModel.of("logistic", name="old").name == "old"


class CountingRuntime:
    """Says of each window how many came before it, in percent, if it is a YAMNet; and which samples it saw."""

    description = "counting"

    def __init__(self, classes: int = 521) -> None:
        self.seen: list[FloatArray] = []
        self._classes = classes

    def run(self, features: FloatArray) -> FloatArray:
        """(n, 15600) -> (n, classes)."""
        assert features.shape[1:] == (15_600,)
        scores = np.zeros((len(features), self._classes), np.float32)
        scores[:, min(132, self._classes - 1)] = (len(self.seen) + np.arange(len(features))) / 100
        self.seen.extend(features)
        return scores

    def run_all(self, features: FloatArray) -> list[FloatArray]:
        """One output."""
        return [self.run(features)]


def test_yamnet_hears_the_sound_as_it_is() -> None:
    """Windows of 15,600 samples every 0.48 s, at the level that they have."""
    runtime, samples = CountingRuntime(), noise(3.0, level_dbfs=-50)
    OfficialYamnet(Path("yamnet.tflite"), runtime).hear(samples)
    assert len(runtime.seen) == 5
    assert all(np.array_equal(window, samples[at * 7680 :][:15_600]) for at, window in enumerate(runtime.seen))


def test_yamnets_answer_is_the_mean_of_the_last_three_windows() -> None:
    """Of fewer at the beginning."""
    heard = OfficialYamnet(Path("yamnet.tflite"), CountingRuntime()).hear(noise(3.0))
    assert RECENT_WINDOWS == 3
    assert heard.answers.tolist() == pytest.approx([0.0, 0.005, 0.01, 0.02, 0.03])


def test_yamnets_segment_is_the_mean_over_its_windows() -> None:
    """Each window counts in the segment where its middle lies: 19 of them in the first, 20 in the second."""
    heard = OfficialYamnet(Path("yamnet.tflite"), CountingRuntime()).hear(noise(21.0))
    windows = np.arange(len(heard.answers)) / 100
    middles = np.arange(len(windows)) * 7680 + 7800
    expected = [windows[middles // SEGMENT_SAMPLES == number].mean() for number in range(3)]
    assert heard.segments.tolist() == pytest.approx(expected)
    assert [int((middles // SEGMENT_SAMPLES == number).sum()) for number in range(2)] == [19, 20]


def test_a_segment_without_a_window_takes_the_nearest() -> None:
    """A rest of 0.1 s, too short for one of its own."""
    heard = OfficialYamnet(Path("yamnet.tflite"), CountingRuntime()).hear(noise(9.7))
    assert heard.segments[1] == pytest.approx(0.01 * (len(heard.answers) - 1))


def test_a_sound_shorter_than_a_window_is_padded() -> None:
    """One window, one answer, one segment."""
    runtime, samples = CountingRuntime(), noise(0.5)
    heard = OfficialYamnet(Path("yamnet.tflite"), runtime).hear(samples)
    assert (heard.answers.shape, heard.segments.shape) == ((1,), (1,))
    assert np.array_equal(runtime.seen[0], np.pad(samples, (0, 15_600 - samples.size)))


def test_what_gives_other_scores_is_not_yamnet() -> None:
    """The error says which file and what to do."""
    with pytest.raises(ExportError, match=r"other.tflite: gives 7 scores .* --yamnet must name"):
        OfficialYamnet(Path("other.tflite"), CountingRuntime(classes=7)).hear(noise(1.0))


def test_another_network_is_refused_at_once() -> None:
    """Before an hour of sound has been heard."""
    with pytest.raises(ExportError, match="--yamnet must name the official"):
        OfficialYamnet.load(GOLDEN / "embedder.tflite")


def test_a_missing_yamnet_is_one_sentence(tmp_path: Path) -> None:
    """No traceback."""
    with pytest.raises(ExportError, match=r"none.tflite: cannot read YAMNet's weights: No such file"):
        OfficialYamnet.load(tmp_path / "none.tflite")


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    """As the device refuses it."""
    shutil.copy(ROOT / "models" / "logistic.json", tmp_path)
    (tmp_path / "logistic.onnx").write_bytes(b"x")
    with pytest.raises(ModelError, match="SHA-256"):
        DeviceModel.of(str(tmp_path / "logistic.json"))


@with_yamnet
def test_the_real_yamnet_tells_a_chord_from_noise() -> None:
    """At a level where it hears."""
    ear = OfficialYamnet.load(prepared_weights())
    assert (
        ear.hear(0.5 * noise(4.0)).segments[0]
        < 0.1
        < ear.hear(scene(12.0)[4 * SAMPLE_RATE :][: 4 * SAMPLE_RATE]).segments[0]
    )
