"""device.hearing.models.inputs: what a sidecar says of a model's input is computed here, or it is refused."""

import copy
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hearing_fakes import sidecar_document
from hypothesis import given
from hypothesis import strategies as st
from network_fakes import install_tiny, needs_tflite, on_statistics, tiny_document, tiny_sidecar

from device.errors import ModelError
from device.hearing.classifier import Classifier
from device.hearing.models.inputs import PatchInput, SegmentInput, StatisticsInput
from device.hearing.models.loading import load_model

FRONT_END = sidecar_document()["input"]["front_end"]


def test_a_patch_models_input_is_read() -> None:
    """Every field arrives."""
    assert PatchInput.read(tiny_sidecar("embedder", recent_patches=4)) == PatchInput(
        log_offset=0.001,
        recent_patches=4,
        embedding_name=tiny_document("embedder")["input"]["embedding"]["name"],
        embedding_size=128,
    )


def test_a_segment_models_input_is_read() -> None:
    """Every field arrives; a weight may be a whole number, a checksum in capitals."""
    embedder = {"name": "my-embedder_2.1", "sha256": "AB" * 32}
    assert SegmentInput.read(tiny_sidecar("attention", recent_weight=1, embedder=embedder)) == SegmentInput(
        segment_patches=10,
        recent_patches=3,
        recent_weight=1.0,
        segment_every=1,
        quick_patches=0,
        quick_discount=0.0,
        embedder_name="my-embedder_2.1",
        embedder_sha256="ab" * 32,
    )


def test_what_a_segment_model_need_not_state_is_read_where_it_stands() -> None:
    """How often the segment is judged, and how sure patches go before it."""
    stated = SegmentInput.read(tiny_sidecar("attention", segment_every=4, quick_patches=2, quick_discount=1.5))
    assert (stated.segment_every, stated.quick_patches, stated.quick_discount) == (4, 2, 1.5)


SCALING = {"mean": [0, 1.5], "scale": [1.0, 2], "limit": 5}


def test_what_the_head_is_given_is_read_where_it_stands() -> None:
    """Pooled, standardised; by default neither."""
    stated = SegmentInput.read(tiny_sidecar("attention", pooling="mean_std", standardisation=SCALING))
    assert stated.pooling == "mean_std"
    assert stated.standardisation is not None
    assert stated.standardisation.mean.tolist() == [0.0, 1.5]
    assert stated.standardisation.scale.tolist() == [1.0, 2.0]
    assert stated.standardisation.limit == 5.0
    plain = SegmentInput.read(tiny_sidecar("attention"))
    assert (plain.pooling, plain.standardisation) == ("sequence", None)


def test_a_head_that_speaks_alone_needs_no_recent_patches() -> None:
    """Its answer speaks for all that the segment reaches over."""
    stated = SegmentInput.read(tiny_sidecar("attention", recent_weight=0, recent_patches=None))
    assert (stated.recent_weight, stated.recent_patches) == (0.0, 19)


def test_a_segment_of_statistics_is_read() -> None:
    """There is no file, and patches do not overlap."""
    stated = SegmentInput.read(tiny_sidecar("attention", **on_statistics(recent_patches=None)))
    assert (stated.statistics, stated.embedder_sha256) == (StatisticsInput(5), "")
    assert stated.recent_patches == 10


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("hop_frames", 48, "hop_frames = 48; it must be 96"),
        ("recent_weight", 0.5, "recent_weight = 0.5; it must be 0, as the statistics have no score of their own"),
        ("quick_patches", 2, "quick_patches = 2; it must be 0, as the statistics have no score of their own"),
        ("embedder", {"name": "statistics", "sha256": "ab" * 32}, "embedder.sha256 = 'abab"),
        ("window_patches", 0, "window_patches = 0; it must be a whole number from 1 to 10"),
    ],
)
def test_a_wrong_segment_of_statistics_is_refused(key: str, value: object, said: str) -> None:
    """The sentence says what it must be."""
    with pytest.raises(ModelError, match=r"^model 'attention' states ") as caught:
        SegmentInput.read(tiny_sidecar("attention", **on_statistics(**{key: value})))
    assert said in str(caught.value)


@pytest.mark.parametrize(("key", "value"), [("statistics_version", 99), ("features", ["zcr_mean"])])
def test_a_segment_of_other_statistics_is_refused(key: str, value: object) -> None:
    """As a model of kind `statistics` is."""
    with pytest.raises(ModelError, match=r"^model 'attention' was trained on .* of the statistics"):
        SegmentInput.read(tiny_sidecar("attention", **on_statistics(**{key: value})))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("pooling", "max", "states pooling = 'max'; it must be 'sequence' or 'mean_std'"),
        ("pooling", ["mean_std"], "states pooling = ['mean_std']"),
        ("standardisation", [0, 1], "states standardisation = [0, 1]; it must be an object with mean, scale"),
        ("standardisation", {**SCALING, "mean": 0}, "states standardisation.mean = 0; it must be a list of 1 to"),
        ("standardisation", {**SCALING, "mean": []}, "states standardisation.mean = a list of 0"),
        ("standardisation", {**SCALING, "mean": [0] * 8193}, "states standardisation.mean = a list of 8193"),
        (
            "standardisation",
            {**SCALING, "mean": [0, math.inf]},
            "states standardisation.mean[1] = inf; it must be",
        ),
        ("standardisation", {**SCALING, "mean": [True, 0]}, "states standardisation.mean[0] = True"),
        ("standardisation", {**SCALING, "scale": [1, 0]}, "states standardisation.scale[1] = 0; it must be"),
        ("standardisation", {**SCALING, "scale": [1, -1]}, "states standardisation.scale[1] = -1"),
        ("standardisation", {**SCALING, "scale": [1]}, "2 numbers as standardisation.mean, but 1 as standard"),
        (
            "standardisation",
            {**SCALING, "limit": None},
            "states standardisation.limit = None; it must be a number",
        ),
        ("standardisation", {**SCALING, "limit": 0}, "states standardisation.limit = 0"),
    ],
)
def test_a_wrong_way_to_give_it_is_refused(key: str, value: object, said: str) -> None:
    """The sentence says what it must be."""
    with pytest.raises(ModelError, match=r"^model 'attention' states ") as caught:
        SegmentInput.read(tiny_sidecar("attention", **{key: value}))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("segment_every", 0, "segment_every = 0; it must be a whole number from 1 to 120"),
        ("segment_every", 2.0, "segment_every = 2.0"),
        ("quick_patches", -1, "quick_patches = -1; it must be a whole number from 0 to 120"),
        ("quick_discount", -0.5, "quick_discount = -0.5; it must be a number from 0 to 20"),
        ("quick_discount", math.nan, "quick_discount = nan"),
    ],
)
def test_a_wrong_way_to_answer_is_refused(key: str, value: object, said: str) -> None:
    """The sentence says what it must be."""
    with pytest.raises(ModelError, match=re.escape(said)):
        SegmentInput.read(tiny_sidecar("attention", **{key: value}))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("patch_frames", 98, "patch_frames = 98; it must be 96"),
        ("patch_frames", None, "patch_frames = None; it must be 96"),
        ("hop_frames", 96, "hop_frames = 96; it must be 48"),
        ("hop_frames", 48.0, "hop_frames = 48.0; it must be 48"),
        ("recent_patches", 0, "recent_patches = 0; it must be a whole number from 1 to 120"),
        ("recent_patches", 121, "recent_patches = 121"),
        ("recent_patches", True, "recent_patches = True"),
        ("recent_patches", 10**400, "recent_patches = 1000"),
        ("embedding", None, "embedding.name = None"),
        ("embedding", [], "embedding.name = None"),
        ("embedding", {"name": "", "size": 128}, "embedding.name = ''; it must be a text that is not empty"),
        ("embedding", {"name": 5, "size": 128}, "embedding.name = 5"),
        ("embedding", {"name": "x", "size": 0}, "embedding.size = 0; it must be a whole number from 1 to 4096"),
        ("front_end", {**FRONT_END, "log_offset": 0}, "front_end.log_offset = 0; it must be a number from 1e-06"),
        ("front_end", {**FRONT_END, "log_offset": "0.001"}, "front_end.log_offset = '0.001'"),
        ("front_end", {**FRONT_END, "log_offset": math.nan}, "front_end.log_offset = nan"),
    ],
)
def test_a_wrong_value_of_a_patch_model_is_named(key: str, value: object, said: str) -> None:
    """With the model, and what would be right."""
    with pytest.raises(ModelError, match=r"^model 'embedder' states ") as caught:
        PatchInput.read(tiny_sidecar("embedder", **{key: value}))
    assert said in str(caught.value)


EMBEDDER = {"name": "embedder", "sha256": "ab" * 32}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("patch_frames", "96", "patch_frames = '96'; it must be 96"),
        ("hop_frames", None, "hop_frames = None; it must be 48"),
        ("segment_patches", 0, "segment_patches = 0; it must be a whole number from 1 to 60"),
        ("segment_patches", 61, "segment_patches = 61"),
        ("recent_patches", None, "recent_patches = None"),
        ("recent_weight", -0.1, "recent_weight = -0.1; it must be a number from 0 to 1"),
        ("recent_weight", 1.1, "recent_weight = 1.1"),
        ("recent_weight", math.nan, "recent_weight = nan"),
        ("recent_weight", True, "recent_weight = True"),
        ("recent_weight", "0.5", "recent_weight = '0.5'"),
        ("embedder", "embedder", "embedder.name = None; it must be a text that is not empty"),
        ("embedder", {**EMBEDDER, "name": "../embedder"}, "embedder.name = '../embedder'; it must be the NAME"),
        ("embedder", {**EMBEDDER, "name": ".."}, "embedder.name = '..'"),
        ("embedder", {**EMBEDDER, "name": "a\0b"}, "embedder.name = 'a\\x00b'"),
        ("embedder", {**EMBEDDER, "name": "x" * 101}, "embedder.name = 'xxx"),
        ("embedder", {**EMBEDDER, "sha256": "ab"}, "embedder.sha256 = 'ab'; it must be 64 hexadecimal digits"),
        ("embedder", {**EMBEDDER, "sha256": None}, "embedder.sha256 = None"),
    ],
)
def test_a_wrong_value_of_a_segment_model_is_named(key: str, value: object, said: str) -> None:
    """With the model, and what would be right."""
    with pytest.raises(ModelError, match=r"^model 'attention' states ") as caught:
        SegmentInput.read(tiny_sidecar("attention", **{key: value}))
    assert said in str(caught.value)


def test_a_description_of_another_kind_has_no_window() -> None:
    """What a network reads is not what the statistics are made of."""
    with pytest.raises(ModelError, match="trained on version None of the statistics"):
        StatisticsInput.read(tiny_sidecar("embedder"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both tiny models are installed."""
    path = tmp_path_factory.mktemp("models")
    for name in ("embedder", "attention"):
        install_tiny(path, name)
    return path


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([10**400, 0, 1, 2, 48, 96, "embedder", "attention", "patch", "segment", "statistics"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def heard_or_error(path: Path) -> float | ModelError:
    """The only two outcomes there may be."""
    try:
        classifier = Classifier(load_model(str(path)))
        return classifier.answer(np.zeros(classifier.next_samples, np.float32)).probability
    except ModelError as error:
        return error


def documents() -> dict[str, Any]:
    """By name: an embedder, a head on it, the same standardised, and one on the statistics."""
    scaling = {size: {"mean": [0.0] * size, "scale": [1.0] * size, "limit": 5.0} for size in (60, 128)}
    found = {name: tiny_document(name) for name in ("embedder", "attention")}
    for name, inputs in (
        ("standardised", {"standardisation": scaling[128], "pooling": "sequence"}),
        ("statistics", on_statistics(standardisation=scaling[60])),
    ):
        found[name] = tiny_document("attention")
        found[name]["input"] |= inputs
    return found


@needs_tflite
@pytest.mark.parametrize("changed", ["embedder", "attention", "standardised", "statistics"])
@given(data=st.data())
def test_any_mutation_is_heard_or_refused(folder: Path, changed: str, data: st.DataObject) -> None:
    """Whatever stands at any place of either description, a segment model gives a probability or a ModelError."""
    document: Any = copy.deepcopy(documents()[changed])
    changed = "embedder" if changed == "embedder" else "attention"
    place, key = document, data.draw(st.sampled_from(sorted(document)))
    while isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place)))
    place[key] = data.draw(json_values)
    path = folder / f"{changed}.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    found = heard_or_error(folder / "attention.json")
    install_tiny(folder, changed)
    assert "\n" not in str(found) if isinstance(found, ModelError) else 0 <= found <= 1
