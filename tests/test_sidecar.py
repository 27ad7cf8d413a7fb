"""device.hearing.models.sidecar: a complete description is read, any other is refused in one sentence."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hearing_fakes import sidecar_document
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ModelError
from device.hearing.models.sidecar import Calibration, Sidecar


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where sidecars are written."""
    return tmp_path_factory.mktemp("sidecars")


def read(folder: Path, document: Any) -> Sidecar:
    """The document, by way of a file."""
    path = folder / "fake.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return Sidecar.read(path)


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """A complete document after a change in place."""
    document = copy.deepcopy(sidecar_document())
    change(document)
    return document


def refusal(folder: Path, document: Any) -> str:
    """The sentence of the error, which must name the file."""
    with pytest.raises(ModelError) as caught:
        read(folder, document)
    sentence = str(caught.value)
    assert sentence.startswith(str(folder / "fake.json"))
    assert "\n" not in sentence
    return sentence


def test_a_complete_sidecar_is_read(folder: Path) -> None:
    """Every field arrives."""
    sidecar = read(folder, sidecar_document(sha256="AB" * 32))
    assert (sidecar.name, sidecar.kind, sidecar.file) == ("fake", "statistics", "fake.onnx")
    assert (sidecar.sha256, sidecar.output, sidecar.labels) == (
        "ab" * 32,
        "probabilities",
        ("no_music", "music"),
    )
    assert sidecar.thresholds == {"balanced": 0.5, "precision": 0.9, "recall": 0.1}


@pytest.mark.parametrize(
    "key",
    ["schema_version", "name", "kind", "file", "sha256", "input", "output", "calibration", "thresholds"],
)
def test_a_missing_key_is_named(folder: Path, key: str) -> None:
    """Without any one of the keys the sidecar is refused."""
    assert key in refusal(folder, changed(lambda document: document.pop(key)))


@pytest.mark.parametrize("mode", ["balanced", "precision", "recall"])
def test_a_missing_threshold_is_named(folder: Path, mode: str) -> None:
    """Each mode has its threshold."""
    assert mode in refusal(folder, changed(lambda document: document["thresholds"].pop(mode)))


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_schema_is_refused(folder: Path, version: object) -> None:
    """A sidecar of another release may mean anything."""
    assert f"schema version {version!r}" in refusal(folder, sidecar_document(schema_version=version))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sample_rate_hz", 22_050),
        ("window_samples", 512),
        ("hop_samples", 80),
        ("fft_size", 1024),
        ("mel_bands", 40),
        ("mel_low_hz", 20.0),
        ("mel_high_hz", 8000.0),
    ],
)
def test_other_features_are_refused(folder: Path, key: str, value: float) -> None:
    """Each parameter of the front end must be what is computed here."""
    sentence = refusal(folder, changed(lambda document: document["input"]["front_end"].update({key: value})))
    assert f"{key} = {value!r}" in sentence


def test_vggishs_logarithm_is_allowed(folder: Path) -> None:
    """The offset is applied behind the front end: a model may have its own."""
    document = changed(lambda document: document["input"]["front_end"].update(log_offset=0.01))
    assert read(folder, document).input["front_end"]["log_offset"] == 0.01


@pytest.mark.parametrize("change", [lambda part: part.pop("fft_size"), lambda part: part.update(dither=1)])
def test_parameters_too_many_or_too_few_are_refused(folder: Path, change: Callable[[Any], object]) -> None:
    """The odd parameter is named."""
    sentence = refusal(folder, changed(lambda document: change(document["input"]["front_end"])))
    assert "fft_size" in sentence or "dither" in sentence


@pytest.mark.parametrize("file", ["../fake.onnx", "/etc/passwd", "a/b.onnx", "", "..", ".", "a\0b", 5, None])
def test_a_file_elsewhere_is_refused(folder: Path, file: object) -> None:
    """The model lies beside its sidecar, nowhere else."""
    assert "'file' must be a plain file name" in refusal(folder, sidecar_document(file=file))


@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5, float("nan"), float("inf")])
def test_a_threshold_out_of_range_is_refused(folder: Path, value: float) -> None:
    """A threshold of 0 or 1 would answer always or never."""
    document = changed(lambda document: document["thresholds"].update(precision=value))
    assert "'precision'" in refusal(folder, document)


@pytest.mark.parametrize("labels", [[], ["speech", "noise"], "music"])
def test_labels_without_music_are_refused(folder: Path, labels: object) -> None:
    """Nobody could tell which column is meant."""
    assert "'music'" in refusal(folder, sidecar_document(output={"name": "p", "labels": labels}))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_calibration_that_is_not_finite_is_refused(folder: Path, value: float) -> None:
    """NaN would make every answer NaN, which is never music."""
    calibration = {"method": "platt", "parameters": {"slope": value, "offset": 0.0}}
    assert "not finite" in refusal(folder, sidecar_document(calibration=calibration))


def test_an_unknown_calibration_is_refused(folder: Path) -> None:
    """The method is named."""
    assert "'beta'" in refusal(folder, sidecar_document(calibration={"method": "beta"}))


@pytest.mark.parametrize(
    ("raw", "calibrated"),
    [([], []), ([0, 1], [0]), ([1, 0], [0, 1]), ([0, 1], [1, 0]), ([0, 1], [0, 7]), ([-1, 1], [0, 1])],
)
def test_isotonic_points_must_make_a_curve(folder: Path, raw: list[float], calibrated: list[float]) -> None:
    """As many of each, ascending, within 0 and 1."""
    calibration = {"method": "isotonic", "parameters": {"raw": raw, "calibrated": calibrated}}
    assert "isotonic" in refusal(folder, sidecar_document(calibration=calibration))


def test_a_number_beyond_all_floats_is_refused(folder: Path) -> None:
    """JSON allows whole numbers that no float holds."""
    refusal(folder, changed(lambda document: document["thresholds"].update(recall=10**400)))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json_is_refused(tmp_path: Path, content: bytes) -> None:
    """The file is named."""
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.json: .* not valid JSON"):
        Sidecar.read(path)


@pytest.mark.parametrize("document", [[], 5, None, "text"])
def test_what_is_not_an_object_is_refused(folder: Path, document: object) -> None:
    """A sidecar is a JSON object."""
    assert "must be a JSON object" in refusal(folder, document)


def test_a_missing_sidecar_is_named(tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(ModelError, match=r"absent\.json: cannot read .*: No such file"):
        Sidecar.read(tmp_path / "absent.json")


def read_or_error(folder: Path, document: Any) -> Sidecar | ModelError:
    """The only two outcomes there may be."""
    try:
        return read(folder, document)
    except ModelError as error:
        return error


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(data=st.data())
def test_any_mutation_is_read_or_refused(folder: Path, data: st.DataObject) -> None:
    """Whatever stands at any place of the document, the outcome is a Sidecar or a ModelError."""
    document = copy.deepcopy(sidecar_document())
    document["calibration"] = {"method": "isotonic", "parameters": {"raw": [0, 1], "calibrated": [0, 1]}}
    place: Any = document
    key: Any = data.draw(st.sampled_from(sorted(document)))
    while isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
    place[key] = data.draw(json_values)
    found = read_or_error(folder, document)
    assert isinstance(found, Sidecar) or str(found).startswith(str(folder))


RAW = np.linspace(0, 1, 101).astype(np.float32)


def test_no_calibration_changes_nothing() -> None:
    """The raw probability is the answer."""
    assert np.array_equal(Calibration()(RAW), RAW)


@pytest.mark.parametrize(("slope", "offset"), [(1.85, -0.39), (0.5, 0.0), (3.0, 1.0)])
def test_platt_is_a_sigmoid_on_the_logit(slope: float, offset: float) -> None:
    """Platt 1999; with offset 0 it is temperature scaling."""
    inner = RAW[1:-1].astype(np.float64)
    expected = 1 / (1 + (inner / (1 - inner)) ** -slope * np.exp(-offset))
    found = Calibration("platt", slope=slope, offset=offset)(RAW[1:-1])
    assert np.allclose(found, expected, atol=1e-6)


def test_isotonic_interpolates() -> None:
    """Straight lines between the points, constant beyond them."""
    calibration = Calibration("isotonic", raw=(0.2, 0.6), calibrated=(0.1, 0.9))
    found = calibration(np.array([0.0, 0.2, 0.4, 0.6, 1.0], np.float32))
    assert np.allclose(found, [0.1, 0.1, 0.5, 0.9, 0.9])


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration("platt", slope=1.85, offset=-0.39),
        Calibration("temperature", slope=0.4),
        Calibration("isotonic", raw=(0.0, 0.3, 1.0), calibrated=(0.0, 0.8, 1.0)),
    ],
)
def test_calibration_keeps_the_order(calibration: Calibration) -> None:
    """More raw is never less calibrated, and both ends are finite probabilities in float32."""
    found = calibration(RAW)
    assert found.dtype == np.float32
    assert (np.diff(found) >= 0).all()
    assert 0 <= found[0] <= found[-1] <= 1


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        ({"min_on_s": 1.0, "min_off_s": 3}, (1.0, 3.0)),
        ({"min_on_s": 0}, (0.0, None)),
        ({}, (None, None)),
    ],
)
def test_a_models_minimum_durations_are_read(
    folder: Path, decision: dict[str, float], expected: tuple[float | None, float | None]
) -> None:
    """What it does not say is left to whoever decides."""
    sidecar = read(folder, sidecar_document(decision=decision))
    assert (sidecar.min_on_s, sidecar.min_off_s) == expected


def test_a_model_need_not_say_anything_of_durations(folder: Path) -> None:
    """As those before there were any."""
    sidecar = read(folder, sidecar_document())
    assert (sidecar.min_on_s, sidecar.min_off_s) == (None, None)


@pytest.mark.parametrize("value", [-1, 3_601, float("nan"), "1", True, None, 10**400])
@pytest.mark.parametrize("key", ["min_on_s", "min_off_s"])
def test_a_duration_that_cannot_be_is_refused(folder: Path, key: str, value: object) -> None:
    """The key is named, and what is allowed."""
    sentence = refusal(folder, sidecar_document(decision={key: value}))
    assert f"'decision' states {key} = {value!r}; it must be a number from 0 to 3600" in sentence


def test_an_unknown_duration_is_refused(folder: Path) -> None:
    """A key that was misspelt would otherwise do nothing."""
    assert "'decision' holds 'min_on'" in refusal(folder, sidecar_document(decision={"min_on": 1}))


@pytest.mark.parametrize("decision", [None, [], 5, "min_on_s"])
def test_durations_that_are_no_object_are_refused(folder: Path, decision: object) -> None:
    """The file is named."""
    assert "malformed" in refusal(folder, sidecar_document(decision=decision))


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration(),
        Calibration("platt", slope=1.8, offset=-1.6),
        Calibration("temperature", slope=0.3),
        Calibration("isotonic", raw=(0.1, 0.5, 0.9), calibrated=(0.05, 0.2, 0.99)),
        Calibration("platt", slope=-1e300, offset=1e300),
    ],
)
@pytest.mark.parametrize("score", [0.0, 0.004, 0.3, 0.5, 0.97, 1.0])
def test_one_score_is_calibrated_as_many_are(calibration: Calibration, score: float) -> None:
    """The quick way for one and the way for arrays agree, at both ends too."""
    with np.errstate(over="ignore"):
        (of_many,) = calibration(np.array([score], np.float32))
    assert calibration.of(score) == pytest.approx(float(of_many), abs=1e-6)
