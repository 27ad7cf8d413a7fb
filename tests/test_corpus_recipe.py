"""The recipe of the training corpus, its rules and its splits."""

import csv
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from export.corpus.dataset import MANIFEST, prepared_directory
from export.corpus.recipe import SPLITS, Label, load_recipe, load_splits
from export.errors import CorpusError

RECIPE = load_recipe()
SPLIT_OF = load_splits()

GENRES = {
    "orchestral": {"orchestral", "fantasy", "classical"},
    "electronic": {"electronic", "techno", "game_electronic", "electronic_rock", "electronic_ambient"},
    "rock": {"rock", "rock_metal", "rock_electronic"},
    "game": {"game_pop", "game_synth", "chiptune", "synth_midi"},
}
NOISES = ("speech", "ambience", "vehicle", "weapon", "animal", "game_sfx", "impact", "machine", "ui", "voice_fx")


def rows_of_prepared() -> list[dict[str, str]]:
    """The prepared part's manifest, or a skip where it is absent."""
    path = prepared_directory() / MANIFEST
    if not path.is_file():
        pytest.skip("no prepared corpus beside the checkout")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def entry(**changes: Any) -> dict[str, Any]:
    """A package entry that is right but for the changes."""
    right = {
        "name": "one",
        "version": "1",
        "size_bytes": 10,
        "holds": "songs",
        "licence": "CC0",
        "minutes": {"music": 1},
        "rules": [["*/songs/*", "music", "folk"], ["*", "no_music", "ui"]],
    }
    return {name: value for name, value in (right | changes).items() if value is not None}


def load(tmp_path: Path, **changes: Any) -> Any:
    """Load a recipe that is right but for the changes."""
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps({"schema": 1, "settings": {}, "families": {}, "packages": [entry()]} | changes))
    return load_recipe(path)


def test_own_recipe_has_the_packages_of_the_open_corpus() -> None:
    """The recipe that comes with the project is whole."""
    assert len(RECIPE.packages) == 64
    assert all(package.licence and package.minutes for package in RECIPE.packages)


def test_first_matching_rule_wins() -> None:
    """A general rule behind a special one does not take its files."""
    package = RECIPE.package("supertux-data")
    assert package.classify("usr/share/games/supertux2/sounds/rain.wav") == ("no_music", "ambience")
    assert package.classify("usr/share/games/supertux2/sounds/tada.ogg") == ("ambiguous", "jingle")
    assert package.classify("usr/share/games/supertux2/sounds/jump.wav") == ("no_music", "game_sfx")


def test_unmatched_file_is_skipped() -> None:
    """What no rule speaks of stays out of the corpus."""
    assert RECIPE.package("lordsawar-data").classify("usr/share/doc/x.ogg") == ("skip", "unmatched")


def test_extra_files_count_as_audio_without_an_extension() -> None:
    """blobwars-data names its sounds without extensions."""
    package = RECIPE.package("blobwars-data")
    assert package.holds_audio("usr/share/games/blobwars/sound/rain", RECIPE.settings)
    assert not package.holds_audio("usr/share/games/blobwars/gfx/rain.png", RECIPE.settings)


def test_rules_give_the_labels_of_the_prepared_corpus() -> None:
    """Every clip of the prepared part is labelled the same by the project's recipe."""
    for row in rows_of_prepared():
        kind = RECIPE.package(row["package"]).classify(row["source_path"])
        assert kind == (row["label"], row["category"]), row["source_path"]


def test_every_package_is_in_one_split() -> None:
    """The splits cover the recipe and nothing else."""
    assert set(SPLIT_OF) == {package.name for package in RECIPE.packages}


def test_families_stay_together() -> None:
    """Packages that share voices or material are never on both sides of a split."""
    splits = defaultdict(set)
    for package in RECIPE.packages:
        if package.family:
            splits[package.family].add(SPLIT_OF[package.name])
    assert set(splits) == set(RECIPE.families)
    assert {family for family, held in splits.items() if len(held) > 1} == set()


@pytest.mark.parametrize(
    "together",
    [
        ("fillets-ng-data", "fillets-ng-data-cs", "fillets-ng-data-nl"),
        ("wesnoth-1.16-music", "wesnoth-1.16-data"),
        ("ufoai-music", "ufoai-sound"),
        ("asterisk-core-sounds-en-g722", "asterisk-core-sounds-es-g722", "asterisk-core-sounds-fr-g722"),
        ("klettres-data", "ktuberling-data", "kajongg"),
        ("bambam", "gamine-data"),
        ("blobwars-data", "wordwarvi-sound"),
    ],
)
def test_known_relatives_are_one_family(together: tuple[str, ...]) -> None:
    """What is known to share recordings is declared a family, whatever the splits are."""
    families = {RECIPE.package(name).family for name in together}
    assert len(families) == 1
    assert None not in families


@pytest.mark.parametrize("label", ["music", "no_music"])
@pytest.mark.parametrize("split", ["validation", "test"])
def test_shares_of_the_whole_recipe(label: Label, split: str) -> None:
    """Of the minutes that a full build yields, validation and test hold between 13 and 23 % each."""
    minutes: Counter[str] = Counter()
    for package in RECIPE.packages:
        minutes[SPLIT_OF[package.name]] += package.minutes.get(label, 0)  # type: ignore[assignment]
    assert 0.13 < minutes[split] / minutes.total() < 0.23


@pytest.mark.parametrize("label", ["music", "no_music"])
@pytest.mark.parametrize("split", ["validation", "test"])
def test_shares_of_the_prepared_part(label: str, split: str) -> None:
    """Of the prepared part, validation and test hold about a fifth each."""
    seconds: dict[str, float] = defaultdict(float)
    for row in rows_of_prepared():
        if row["label"] == label:
            seconds[SPLIT_OF[row["package"]]] += float(row["duration"])
    assert seconds[split] / sum(seconds.values()) == pytest.approx(0.2, abs=0.025)


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_has_every_kind_of_sound(split: str) -> None:
    """Each split's rules name every broad kind of music and of other sound."""
    categories = {
        rule.category
        for package in RECIPE.packages
        if SPLIT_OF[package.name] == split
        for rule in package.rules
        if rule.label in ("music", "no_music")
    }
    assert [name for name in NOISES if name not in categories] == []
    assert [genre for genre, names in GENRES.items() if not names & categories] == []


def test_speech_of_every_split_comes_from_other_packages() -> None:
    """Each split has at least ten minutes of speech of its own speakers."""
    speech: Counter[str] = Counter()
    for package in RECIPE.packages:
        if any(rule.category == "speech" and rule.label == "no_music" for rule in package.rules):
            speech[SPLIT_OF[package.name]] += package.minutes.get("no_music", 0)  # type: ignore[assignment]
    assert all(speech[split] > 10 for split in SPLITS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 2}, "schema is 2"),
        ({"packages": []}, "'packages' is missing"),
        ({"packages": [entry(), entry()]}, "listed twice: one"),
        ({"packages": [entry(version=None)]}, r"package 1 \(one\): 'version' is missing"),
        ({"packages": [entry(size_bytes="10")]}, "'size_bytes' cannot be '10'"),
        ({"packages": [entry(sise=1)]}, "unknown field 'sise'"),
        ({"packages": [entry(family="none")]}, "family 'none' is not among"),
        ({"packages": [entry(rules=[["*", "musik", "folk"]])]}, "label 'musik' is not one of"),
        ({"packages": [entry(rules=[["*", "music"]])]}, r"a rule is \[glob, label, category\]"),
        ({"packages": [entry(rules=[["*", "music", "a"], ["*", "skip", "b"]])]}, "two rules for"),
        ({"packages": [entry(minutes={"songs": 1})]}, "minutes: 'songs'"),
        ({"settings": {"sample_rate_hz": 8000}}, "sample_rate_hz must be 16000"),
    ],
)
def test_wrong_recipe_is_refused_with_the_place(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """The error names the package and the field."""
    with pytest.raises(CorpusError, match=message):
        load(tmp_path, **changes)


def test_digest_follows_the_content(tmp_path: Path) -> None:
    """Another rule is another recipe; the same content in another place is the same."""
    first = load(tmp_path).digest
    assert load(tmp_path, packages=[entry(rules=[["*", "music", "folk"]])]).digest != first
    assert load(tmp_path).digest == first


def test_unreadable_recipe_is_one_sentence(tmp_path: Path) -> None:
    """A damaged recipe is reported as such."""
    path = tmp_path / "recipe.json"
    path.write_text("{")
    with pytest.raises(CorpusError, match="not valid JSON"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [("package,split\na,training\n", "line 2"), ("package,split\na,test\na,train\n", "line 3: a is listed twice")],
)
def test_wrong_splits_are_refused_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    """The error names the line."""
    path = tmp_path / "splits.csv"
    path.write_text(text)
    with pytest.raises(CorpusError, match=message):
        load_splits(path)
