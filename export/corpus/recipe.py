"""What the open training corpus is made of: `recipe.json`, and how it is split: `splits.csv`.

Fields of `recipe.json` (schema 1):

    suite       where the packages live; other suites may hold other versions
    settings    how audio is prepared, see `Settings`
    families    name -> why its packages share material and must stay in one split
    packages    a list, each with
        name, version     as apt knows them
        size_bytes        of the .deb
        sha256            of the .deb; only where it is the same on every architecture
        family            one of `families`; absent: the package stands alone
        holds, licence    for people; licences as in the package's debian/copyright
        minutes           label -> minutes that the build yields
        max_files         take only so many files, in the build's order
        archives          zip files inside the package to open; a member is then named ARCHIVE.d/MEMBER
        extra_files       globs of audio files whose names end in no known extension
        rules             [glob, label, category]; the first to match a file's path wins; `*` matches `/` too

Labels: `music` (any, singing included), `no_music` (speech, effects, ambience, machines, animals, noise),
`mixed` (music under speech or ambience; kept apart), `ambiguous` (jingles, stingers, musical UI sounds,
single notes, drones; unused) and `skip` (silence, tests, duplicates, stems). What no rule matches is
skipped.

The split is by source package, whole families together, so that no voice, composer or effects library
that a model was trained on appears in what it is tested on. It was chosen by metadata alone, before any
model was trained: about a fifth of the minutes of music and of no music in each of validation and test,
every kind of sound in every split as far as there are packages for it, and the packages with the most
variety in train. Speech: train has telephone prompts (English, Spanish, French) and acted Czech and
Dutch; validation a Russian reader and flight announcements; test, single words in some 25 languages by
many voices and microphones. Shared recordings were looked for by equal names with equal durations across
packages.
"""

import csv
import fnmatch
import hashlib
import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from device.sound import SAMPLE_RATE
from export.errors import CorpusError

Label = Literal["music", "no_music", "mixed"]
"""What ends up in the corpus."""
Verdict = Literal["music", "no_music", "mixed", "ambiguous", "skip"]
"""What a rule may say of a file."""
Split = Literal["train", "validation", "test"]

LABELS: tuple[Label, ...] = get_args(Label)
SPLITS: tuple[Split, ...] = get_args(Split)

SCHEMA = 1

_DATA = resources.files("export.corpus")


@dataclass(frozen=True, slots=True)
class Settings:
    """How audio is prepared."""

    sample_rate_hz: int = SAMPLE_RATE
    extensions: tuple[str, ...] = (".ogg", ".wav", ".flac")
    """Files that count as audio, lower case with the dot."""
    cap_minutes: float = 40
    """At most so much of each label from one package."""
    min_track_s: float = 30
    """Where a package holds more music than the cap, each track gives its middle, but at least so much."""
    min_file_s: float = 0.05
    """Anything shorter is left out."""
    min_music_s: float = 6
    """Shorter music is a stinger and left out."""
    short_music_categories: tuple[str, ...] = ()
    """Categories of music to which `min_music_s` does not apply."""
    max_file_s: float = 900
    """No more than the first so many seconds of a file are decoded."""
    trim_dbfs: float = -55
    """Leading and trailing parts quieter than this are cut off."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Files whose path matches `glob` have this label."""

    glob: str
    label: Verdict
    category: str
    """The kind of sound, for example `orchestral` or `vehicle`."""


@dataclass(frozen=True, slots=True)
class Package:
    """One Debian package of the corpus; the module docstring says what the fields mean."""

    name: str
    version: str
    size_bytes: int
    holds: str
    licence: str
    minutes: Mapping[Label, float]
    rules: tuple[Rule, ...]
    sha256: str | None = None
    family: str | None = None
    max_files: int | None = None
    archives: tuple[str, ...] = ()
    extra_files: tuple[str, ...] = ()

    def classify(self, path: str) -> tuple[Verdict, str]:
        """Label and category of a file by its path in the package; ("skip", "unmatched") without a rule."""
        for rule in self.rules:
            if fnmatch.fnmatchcase(path, rule.glob):
                return rule.label, rule.category
        return "skip", "unmatched"

    def holds_audio(self, path: str, settings: Settings) -> bool:
        """Whether a path inside the package is an audio file, by its name."""
        return path.lower().endswith(settings.extensions) or any(
            fnmatch.fnmatchcase(path, glob) for glob in self.extra_files
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """The whole corpus."""

    suite: str
    settings: Settings
    families: Mapping[str, str]
    packages: tuple[Package, ...]
    digest: str = field(compare=False)
    """SHA-256 of the recipe's content, hex; part of every corpus version."""

    def package(self, name: str) -> Package:
        """The package of that name.

        Raises:
            CorpusError: the recipe has no such package.
        """
        for package in self.packages:
            if package.name == name:
                return package
        raise CorpusError(
            f"{name!r} is not in the recipe; `oido-export corpus info --packages` lists those that are"
        )


def load_recipe(path: Path | None = None) -> Recipe:
    """Read a recipe (None: the project's own) and check all of it.

    Raises:
        CorpusError: the file cannot be read or is wrong; the message names the package and the field.
    """
    where = str(path or "recipe.json")
    table = _read_json(path or _DATA / "recipe.json", where)
    if table.get("schema") != SCHEMA:
        raise CorpusError(f"{where}: schema is {table.get('schema')!r}, this version reads {SCHEMA}")
    families = table.get("families", {})
    settings = _record(Settings, table.get("settings", {}), f"{where}: settings")
    packages = tuple(
        _package(entry, f"{where}: package {number}") for number, entry in enumerate(table.get("packages", []), 1)
    )
    if not packages:
        raise CorpusError(f"{where}: 'packages' is missing or empty")
    names = [package.name for package in packages]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise CorpusError(f"{where}: listed twice: {', '.join(twice)}")
    for package in packages:
        if package.family is not None and package.family not in families:
            raise CorpusError(f"{where}: {package.name}: family {package.family!r} is not among 'families'")
    if settings.sample_rate_hz != SAMPLE_RATE:
        raise CorpusError(f"{where}: settings: sample_rate_hz must be {SAMPLE_RATE}, all models hear at that rate")
    canonical = json.dumps(table, sort_keys=True, separators=(",", ":"))
    return Recipe(
        suite=table.get("suite", ""),
        settings=settings,
        families=families,
        packages=packages,
        digest=hashlib.sha256(canonical.encode()).hexdigest(),
    )


def load_splits(path: Path | None = None) -> dict[str, Split]:
    """The split of each package, from a CSV with the columns package,split; None reads the project's own.

    Raises:
        CorpusError: the file cannot be read, a split is unknown or a package is listed twice.
    """
    where = str(path or "splits.csv")
    try:
        text = (path or _DATA / "splits.csv").read_text(encoding="utf-8")
    except OSError as error:
        raise CorpusError(f"{where}: cannot read the splits: {error.strerror}") from error
    splits: dict[str, Split] = {}
    for line, row in enumerate(csv.DictReader(text.splitlines()), 2):
        name, split = row.get("package"), row.get("split")
        if not name or split not in SPLITS:
            raise CorpusError(
                f"{where}, line {line}: expected package,split with split one of {', '.join(SPLITS)}"
            )
        if name in splits:
            raise CorpusError(f"{where}, line {line}: {name} is listed twice")
        splits[name] = cast("Split", split)
    return splits


def _read_json(source: Path | Traversable, where: str) -> dict[str, Any]:
    try:
        table = json.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise CorpusError(f"{where}: cannot read the recipe: {error.strerror}") from error
    except ValueError as error:
        raise CorpusError(f"{where}: not valid JSON: {error}") from error
    if not isinstance(table, dict):
        raise CorpusError(f"{where}: a recipe is a JSON object")
    return table


def _package(entry: Any, where: str) -> Package:
    if isinstance(entry, dict) and isinstance(entry.get("name"), str):
        where = f"{where} ({entry['name']})"
    rules = entry.get("rules") if isinstance(entry, dict) else None
    if not isinstance(rules, list) or not rules:
        raise CorpusError(f"{where}: 'rules' is missing or empty")
    package: Package = _record(Package, entry | {"rules": [_rule(rule, where) for rule in rules]}, where)
    globs = [rule.glob for rule in package.rules]
    if twice := sorted({glob for glob in globs if globs.count(glob) > 1}):
        raise CorpusError(f"{where}: two rules for {twice[0]!r}; the second can never apply")
    if unknown := sorted(set(package.minutes) - set(LABELS)):
        raise CorpusError(f"{where}: minutes: {unknown[0]!r} is not one of {', '.join(LABELS)}")
    return package


def _rule(entry: Any, where: str) -> Rule:
    if not (
        isinstance(entry, list) and len(entry) == len(fields(Rule)) and all(isinstance(x, str) for x in entry)
    ):
        raise CorpusError(f"{where}: a rule is [glob, label, category], not {entry!r}")
    glob, label, category = entry
    if label not in get_args(Verdict):
        raise CorpusError(f"{where}: rule {glob!r}: label {label!r} is not one of {', '.join(get_args(Verdict))}")
    return Rule(glob, label, category)


def _record(kind: type[Any], entry: Any, where: str) -> Any:
    """Make a dataclass of a JSON object, refusing unknown and missing fields and values of another type."""
    if not isinstance(entry, dict):
        raise CorpusError(f"{where}: expected an object, not {entry!r}")
    known = {item.name: item for item in fields(kind)}
    if unknown := sorted(set(entry) - set(known)):
        raise CorpusError(f"{where}: unknown field {unknown[0]!r}; known here: {', '.join(known)}")
    if missing := [name for name, item in known.items() if item.default is MISSING and name not in entry]:
        raise CorpusError(f"{where}: {missing[0]!r} is missing")
    hints = get_type_hints(kind)
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    for name, value in values.items():
        allowed = get_args(hints[name]) if isinstance(hints[name], types.UnionType) else (hints[name],)
        classes = tuple(get_origin(hint) or hint for hint in allowed)
        if isinstance(value, bool) or not isinstance(value, (*classes, int) if float in classes else classes):
            raise CorpusError(f"{where}: {name!r} cannot be {entry[name]!r}")
    return kind(**values)
