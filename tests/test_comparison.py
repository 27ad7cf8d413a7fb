"""export.comparison: segments, what is kept, figures, and the answers to questions."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from comparison_fakes import QUICK, three_splits
from evaluation_fakes import album
from loudness_fakes import SIZE, LoudnessExtractor, LoudnessFeature
from segment_fakes import segments as cloud

from export.comparison.costs import measure
from export.comparison.feature import NamedFeature
from export.comparison.fits import Fits, described
from export.comparison.learning import curve, some
from export.comparison.listing import comma_separated, markdown
from export.comparison.paired import PairedTest, f1_difference
from export.comparison.rows import ALL
from export.comparison.running import Material, judge, materials, paired_tests
from export.comparison.selection import EVALUATED, Selection
from export.corpus.streams import Corpus
from export.embeddings.feature import opened
from export.embeddings.segments import Segments, cut
from export.embeddings.store import Store
from export.errors import ExportError
from export.estimators.catalogue import all_estimators
from export.estimators.heads import dense_head
from export.estimators.linear import PooledLogistic
from export.estimators.network import Schedule
from export.evaluation.calibration import thresholds
from export.evaluation.hearing import segment_ends
from export.evaluation.metrics import Figure, f1
from export.evaluation.takes import VARIATIONS, Section, takes


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Three splits."""
    return three_splits(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all tests that compute the same."""
    return tmp_path_factory.mktemp("cache")


def store_in(folder: Path, *, seed: int = 1) -> Store:
    """One process."""
    return Store(folder=folder, version="v", seed=seed, jobs=1)


@pytest.fixture(scope="module")
def found(corpus: Corpus, cache: Path) -> Material:
    """Of the loudness."""
    (one,) = materials([LoudnessFeature()], Selection.of(corpus, "validation", seed=1), store_in(cache))
    return one


def made_up(*, seed: int = 0, distance: float = 2.5) -> Segments:
    """Rows without sound."""
    rows = cloud(packages=4, seed=seed, distance=distance)
    return Segments(rows.sequences, rows.music, rows.package, np.full(len(rows.music), "clean"))


def test_a_segment_is_the_ten_patches_up_to_its_end() -> None:
    """48 s give five, one after the other; none is left out."""
    patches = np.arange(50, dtype=np.float32)[:, None]
    assert np.array_equal(cut(patches, 48 * 16_000)[:, :, 0], patches.reshape(5, 10))


def test_what_is_left_at_the_end_looks_back() -> None:
    """Over the ten patches before the end of the section."""
    patches = np.arange(15, dtype=np.float32)[:, None]
    assert cut(patches, 15 * 15_360)[:, :, 0].tolist() == [list(range(10)), list(range(5, 15))]


def test_few_patches_are_repeated() -> None:
    """Oldest first, as the device does."""
    patches = np.arange(4, dtype=np.float32)[:, None]
    assert cut(patches, 4 * 15_360)[0, :, 0].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]


@pytest.mark.parametrize("samples", [100, 15_360, 153_599, 153_600, 200_000, 768_000])
def test_there_are_as_many_segments_as_evaluate_counts(samples: int) -> None:
    """So that both tables speak of the same rows."""
    section = Section(np.zeros(samples, np.float32), music=True, package="p", category="c")
    rows = Segments.of(section, LoudnessExtractor("1"), "clean")
    assert rows.sequences.shape == (len(segment_ends(samples)), 10, SIZE)


def test_only_training_is_learnt_from(found: Material) -> None:
    """And only validation is judged: no package stands on both sides."""
    assert all(name.startswith(("train", "synthetic")) for name in found.training.package)
    assert all(name.startswith("validation") for name in found.validation.package)
    assert set(found.evaluated.variation.tolist()) == set(EVALUATED)


def test_everything_is_learnt_from_once(found: Material) -> None:
    """Each section in each variation: none of them is a privilege of an embedder that learnt on its own."""
    music = found.training.where(found.training.music == 1)
    clean, *others = (np.count_nonzero(music.variation == name) for name in VARIATIONS)
    assert others == [clean] * 3


def test_a_second_look_embeds_nothing(corpus: Corpus, tmp_path: Path) -> None:
    """Of the same sound, extractor and seed; another version of the extractor begins again."""
    heard = Selection.of(corpus, "validation", seed=1).validation
    first = store_in(tmp_path).segments(LoudnessFeature(), heard)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    again = store_in(tmp_path).segments(LoudnessFeature(), heard)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")} == files
    assert np.array_equal(first.sequences, again.sequences)
    store_in(tmp_path).segments(LoudnessFeature(version="loudness-2"), heard)
    assert len(list(tmp_path.rglob("*.npz"))) == 2 * len(files) == 2 * len(heard)


def test_several_extractors_hear_a_take_that_is_made_once(corpus: Corpus, tmp_path: Path) -> None:
    """And each finds later what was computed then."""
    heard = Selection.of(corpus, "validation", seed=1).validation
    features = [LoudnessFeature(), LoudnessFeature(name="net", version="net-1")]
    store_in(tmp_path).fill(features, heard)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert len(files) == 2 * len(heard)
    one, other = (store_in(tmp_path).segments(feature, heard) for feature in features)
    assert np.array_equal(one.sequences, other.sequences)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")} == files


def test_an_extractor_that_comes_later_is_filled_in(corpus: Corpus, tmp_path: Path) -> None:
    """The others have heard the takes already, and do not hear them again."""
    heard = Selection.of(corpus, "validation", seed=1).validation
    first, later = LoudnessFeature(), LoudnessFeature(name="net", version="net-1")
    store_in(tmp_path).fill([first], heard)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    store_in(tmp_path).fill([first, later], heard)
    assert {path: path.stat().st_mtime_ns for path in files} == files
    assert len(list(tmp_path.rglob("*.npz"))) == 2 * len(heard)


def test_other_repeats_of_the_same_streams_are_other_takes(corpus: Corpus, tmp_path: Path) -> None:
    """Twice as many rooms are not taken from the file of one room."""
    store = store_in(tmp_path)
    once, twice = (
        store.segments(LoudnessFeature(), takes(corpus, "validation", seed=1, repeats=repeats))
        for repeats in (1, 2)
    )
    for variation, times in (("clean", 1), ("level", 2), ("room", 2)):
        rows = np.count_nonzero(once.variation == variation)
        assert np.count_nonzero(twice.variation == variation) == times * rows > 0


def test_files_of_one_package_are_embedded_each(tmp_path: Path) -> None:
    """In files of their own, as rows of the package: none is lost, none is there twice."""
    heard = [take for take in takes(album(tmp_path, long_s=6.0), "test", seed=1) if take.variation == "room"]
    rows = store_in(tmp_path / "cache").segments(LoudnessFeature(), heard)
    assert len(list((tmp_path / "cache").rglob("*.npz"))) == len(heard) == 6
    counts = dict(zip(*np.unique(rows.package, return_counts=True), strict=True))
    assert counts["gig"] == 3 * counts["radio"] > 0
    assert len(np.unique(rows.sequences[rows.package == "gig"], axis=0)) == counts["gig"]


def test_no_takes_are_an_error(tmp_path: Path) -> None:
    """One sentence."""
    with pytest.raises(ExportError, match="no sound for a split"):
        store_in(tmp_path).segments(LoudnessFeature(), [])


def test_a_kept_fit_says_the_same(tmp_path: Path) -> None:
    """Its file, its name of the output and its parameters; nothing is fitted again."""
    fits = Fits(folder=tmp_path, seed=1)
    first = fits.fit(QUICK[0], made_up(), feature="cloud", checked=made_up())
    (path,) = tmp_path.glob("*.json")
    document = json.loads(path.read_text())
    document["parameters"]["mark"] = "kept"
    path.write_text(json.dumps(document))
    again = fits.fit(QUICK[0], made_up(), feature="cloud", checked=made_up())
    assert again.parameters == {**first.parameters, "mark": "kept"}
    assert again.file == first.file


def test_other_data_settings_or_seeds_are_fitted_anew(tmp_path: Path) -> None:
    """Each is a file of its own."""
    fits = Fits(folder=tmp_path, seed=1)
    fits.fit(QUICK[0], made_up(), feature="cloud", checked=made_up())
    fits.fit(QUICK[0], made_up(seed=1), feature="cloud", checked=made_up())
    fits.fit(QUICK[0], made_up(), feature="cloud", checked=made_up(seed=1))
    fits.fit(QUICK[0], made_up(), feature="cloud", checked=made_up(seed=1))
    fits.fit(PooledLogistic(strengths=(0.1,)), made_up(), feature="cloud", checked=made_up())
    Fits(folder=tmp_path, seed=2).fit(QUICK[0], made_up(), feature="cloud", checked=made_up())
    assert len(list(tmp_path.glob("*.onnx"))) == 5


@pytest.mark.training
def test_a_kept_network_has_its_standardisation(tmp_path: Path) -> None:
    """Without it the file would read other rows than it learnt from."""
    schedule = Schedule(every_steps=18, most_looks=8, patience=3, folds=1, batch=8)
    head = dense_head(units=(8,), learning_rate=3e-3, schedule=schedule, standardise=True)
    fit = Fits(folder=tmp_path, seed=1).fit(head, made_up(), feature="cloud", checked=made_up())
    rows = made_up(seed=1)
    probability = fit.file.probability(rows.sequences)
    assert fit.file.standardisation is not None
    assert fit.file.suffix == ".tflite"
    assert np.mean((probability >= 0.5) == rows.music) > 0.8
    bare = replace(fit, file=replace(fit.file, standardisation=None))
    assert not np.array_equal(bare.file.probability(rows.sequences), probability)


def test_a_description_has_no_addresses() -> None:
    """It must be the same in every process; threads do not matter."""
    for one, other in zip(all_estimators(jobs=1), all_estimators(jobs=8), strict=True):
        assert list(described(one)) == list(described(other))
        assert not any(" at 0x" in part for part in described(one) if len(part) < 500)


def test_a_row_has_a_threshold_tuned_on_validation(found: Material, cache: Path) -> None:
    """Over all sounds together, and figures for each sound."""
    judged = judge(QUICK[0], found, Fits(folder=cache / "fits", seed=1), costs=False)
    row = judged.row
    assert row.threshold == thresholds(found.validation.music, judged.probability)["balanced"]
    assert row.validation_f1 == pytest.approx(row.reports[ALL].f1.value)
    assert list(row.reports) == [ALL, "clean", "room", "mixture"]
    assert row.reports[ALL].rows == len(found.evaluated)
    assert row.reports["clean"].f1.value > 0.9


def test_costs_are_measured_in_a_process_of_its_own(found: Material, cache: Path) -> None:
    """Which knows the extractor and the file, and no more."""
    fit = Fits(folder=cache / "fits", seed=1).fit(
        QUICK[0], found.training, feature="loudness", checked=found.evaluated
    )
    costs = measure(LoudnessFeature(), fit.file, "pooled")
    assert costs.extractor_ms > 0
    assert costs.head_ms > 0
    assert costs.peak_mb > 10
    assert costs.size_kb == len(fit.file.content) / 1000


def test_the_difference_of_equals_is_nothing() -> None:
    """Exactly, since both have the same packages in every draw."""
    truth = np.array([1, 1, 0, 0] * 5, np.int8)
    decided = np.tile([True, False, True, False], 5)
    package = np.repeat([f"p{number}" for number in range(5)], 4)
    assert f1_difference(truth, decided, decided, package) == Figure(0.0, 0.0, 0.0)


def test_the_difference_is_that_of_both_f1s() -> None:
    """Within an interval that holds it, and turned round the other way round."""
    generator = np.random.default_rng(4)
    truth = generator.integers(0, 2, 400).astype(np.int8)
    package = np.repeat([f"p{number}" for number in range(20)], 20)
    good, poor = (np.where(generator.random(400) < right, truth, 1 - truth) == 1 for right in (0.95, 0.7))
    by = f1_difference(truth, good, poor, package)
    assert by.value == pytest.approx(f1(truth, good) - f1(truth, poor))
    assert 0 < by.low < by.value < by.high
    other = f1_difference(truth, poor, good, package)
    assert (other.value, other.low, other.high) == pytest.approx((-by.value, -by.high, -by.low))


@pytest.mark.parametrize(
    ("difference", "sentence"),
    [
        (Figure(0.05, 0.01, 0.09), r"^transfer: a beats the best from scratch, b: F1 differs by \+0\.0500"),
        (Figure(0.05, -0.01, 0.09), r"^transfer: a does not clearly beat .* which spans 0\.$"),
        (Figure(-0.05, -0.09, -0.01), r"^transfer: a does not beat the best from scratch, b, it is worse: F1"),
    ],
)
def test_the_answer_is_a_sentence_either_way(difference: Figure, sentence: str) -> None:
    """Whatever came out."""
    assert re.search(sentence, str(PairedTest("transfer", "a", "b", difference)))


def test_rows_to_compare_are_chosen_on_validation(found: Material, cache: Path) -> None:
    """Not by what is reported: the better on validation stands for its kind, whatever its F1 is."""
    fits = Fits(folder=cache / "fits", seed=1)
    scratch, low = (judge(each, found, fits, costs=False) for each in QUICK)
    published = replace(scratch, row=replace(scratch.row, feature="net", origin="published", validation_f1=0.2))
    better = replace(low, row=replace(low.row, feature="net", origin="published", validation_f1=0.3))
    (found_test,) = paired_tests([scratch, published, better])
    assert found_test.candidate == f"net + {low.row.head}"
    assert found_test.baseline == scratch.row.name


def test_each_origin_is_held_against_what_it_should_beat(found: Material, cache: Path) -> None:
    """Transfer and ours against learning from scratch, and ours against transfer."""
    scratch = judge(QUICK[0], found, Fits(folder=cache / "fits", seed=1), costs=False)
    published = replace(scratch, row=replace(scratch.row, feature="net", origin="published"))
    own = replace(scratch, row=replace(scratch.row, feature="ours", origin="own"))
    held = [
        (each.candidate.split()[0], each.baseline.split()[0]) for each in paired_tests([scratch, published, own])
    ]
    assert held == [("net", "loudness"), ("ours", "loudness"), ("ours", "net")]
    assert "the best by transfer, net + logistic" in str(paired_tests([scratch, published, own])[2])


def test_without_rows_from_scratch_there_is_no_paired_test(found: Material, cache: Path) -> None:
    """Nothing to beat."""
    judged = judge(QUICK[0], found, Fits(folder=cache / "fits", seed=1), costs=False)
    assert paired_tests([replace(judged, row=replace(judged.row, origin="own"))]) == []


def test_a_part_of_the_packages_keeps_both_labels() -> None:
    """However small it is: two families of each."""
    rows = made_up()
    few = some(rows, 0.01, np.random.default_rng(1))
    assert len(set(few.package[few.music == 1].tolist())) == 2
    assert len(set(few.package[few.music == 0].tolist())) == 2
    assert len(some(rows, 1.0, np.random.default_rng(1))) == len(rows)


def test_a_learning_curve_ends_with_all_packages(found: Material, cache: Path) -> None:
    """With three draws of half of them before."""
    points = curve(QUICK[0], found, Fits(folder=cache / "fits", seed=1), seed=1, parts=(0.5, 1.0))
    everything = len(set(found.training.package.tolist()))
    assert [point.packages < everything for point in points] == [True, True, True, False]
    assert points[-1].packages == everything
    assert all(0 <= point.f1 <= 1 for point in points)


def test_tables_have_every_row_and_the_reports_beside(found: Material, cache: Path) -> None:
    """The original figures, with ours from scratch in the same line, and the caveat."""
    rows = [judge(each, found, Fits(folder=cache / "fits", seed=1), costs=False).row for each in QUICK]
    text = markdown(rows, ["It helps."])
    for sound in rows[0].reports:
        for row in rows:
            assert str(row.reports[sound].f1) in text
    figures = (getattr(rows[0].reports[ALL], name).value for name in ("accuracy", "f1", "precision", "recall"))
    ours = " | ".join(f"{value:.4f}" for value in figures)
    assert f"| logistic regression | 0.8623 | 0.8268 | 0.8003 | 0.8550 | {ours} |" in text
    assert "| linear SVM | 0.8515 | 0.8123 | 0.7904 | 0.8354 |  |  |  |  |" in text
    assert "Ours: loudness, validation split" in text
    assert "Other data" in text
    assert "- It helps." in text
    assert "figures for development" in text
    lines = comma_separated(rows).splitlines()
    assert len(lines) == 1 + 2 * 4
    assert len({line.count(",") for line in lines}) == 1


def test_the_files_are_held_against_the_estimators_on_every_segment(found: Material, cache: Path) -> None:
    """ONNX says the same to 1e-4, and the table shows it."""
    row = judge(QUICK[0], found, Fits(folder=cache / "fits", seed=1), costs=False).row
    assert row.parameters["parity_rows"] == len(found.evaluated)
    assert row.parameters["parity_largest"] <= 1e-4
    largest, mean = (f"{row.parameters[f'parity_{key}']:.1e}" for key in ("largest", "mean"))
    (line,) = (line for line in markdown([row]).splitlines() if line.endswith(f"| {largest} | {mean} | 0 | 0 |"))
    assert line.startswith(f"| loudness | logistic regression | {len(found.evaluated)} |")


def test_without_rows_from_scratch_the_report_stands_alone(found: Material, cache: Path) -> None:
    """Nothing of ours is like it."""
    row = judge(QUICK[0], found, Fits(folder=cache / "fits", seed=1), costs=False).row
    text = markdown([replace(row, origin="published")])
    assert "| logistic regression | 0.8623 | 0.8268 | 0.8003 | 0.8550 |\n" in text
    assert ", ours" not in text


def test_cepstral_embeddings_are_the_devices_statistics() -> None:
    """One row a patch, whatever is left at the end."""
    extractor = opened(NamedFeature("cepstral"))
    sound = np.random.default_rng(1).normal(0, 0.1, 40_000).astype(np.float32)
    assert extractor.embed(sound).shape == (2, extractor.size)
    assert np.array_equal(extractor.embed(sound)[:1], extractor.embed(sound[:15_600]))


def test_our_embeddings_are_those_of_the_bundled_file() -> None:
    """With its checksum in the version; patches do not look back."""
    extractor = opened(NamedFeature("ours"))
    sound = np.random.default_rng(1).normal(0, 0.1, 31_000).astype(np.float32)
    found = extractor.embed(sound)
    assert found.shape == (2, extractor.size) == (2, 128)
    assert np.array_equal(extractor.embed(sound[15_360:])[0], found[1])
