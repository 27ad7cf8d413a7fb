"""`oido-export corpus build|info|verify`."""

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from export.commands.options import positive
from export.corpus.build import Builder, Built, check_space
from export.corpus.dataset import MANIFEST, cache_directory, find_corpus, load_corpus, prepared_directory
from export.corpus.integrity import sole_use, verify
from export.corpus.packages import AptDownloader
from export.corpus.recipe import SPLITS, Package, Split, load_recipe, load_splits
from export.corpus.streams import Stream
from export.errors import CorpusError
from export.progress import Progress

_BUILD = """\
Makes the training corpus of free Debian packages: 2.3 GB of downloads, 10 to 20 minutes,
about 1.3 GB of FLAC. Nothing is installed. It may be stopped at any time and goes on where
it was. Where a prepared corpus is present it is used, and nothing is downloaded.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="build|info|verify")
    build = actions.add_parser(
        "build",
        help="download the free packages and make the corpus of them",
        description=_BUILD,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = build.add_argument
    option("--out", type=Path, metavar="DIR", help="where the corpus goes (default: the user's cache)")
    option("--work", type=Path, metavar="DIR", help="where packages are unpacked (default: OUT/work)")
    option("--jobs", type=positive, default=os.cpu_count() or 1, metavar="N", help="packages at once")
    option("--only", nargs="+", default=[], metavar="PACKAGE", help="only these packages")
    option("--keep-packages", action="store_true", help="leave the .deb files in WORK/packages")
    option("--prepared", type=Path, metavar="DIR", help="a prepared corpus (default: ../shared/corpus)")
    option("--download", action="store_true", help="build even where a prepared corpus is present")
    info = actions.add_parser("info", help="show the hours in each split, label and category")
    check = actions.add_parser("verify", help="compare every file with its checksum")
    for action in (info, check):
        action.add_argument("--corpus", type=Path, metavar="DIR", help="default: where it is found")
    info.add_argument("--packages", action="store_true", help="list the packages and licences instead")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked."""
    return {"build": _build, "info": _info, "verify": _verify}[arguments.action](arguments)


def _build(arguments: argparse.Namespace) -> int:
    prepared: Path = arguments.prepared or prepared_directory()
    if not arguments.download and (arguments.prepared or (prepared / MANIFEST).is_file()):
        return _use_prepared(prepared)
    out: Path = arguments.out or cache_directory()
    work: Path = arguments.work or out / "work"
    builder = Builder(
        recipe=load_recipe(),
        out=out,
        work=work,
        fetch=AptDownloader().fetch,
        jobs=arguments.jobs,
        keep_packages=arguments.keep_packages,
    )
    with sole_use(out):
        packages = builder.pending(arguments.only)
        if packages:
            space = builder.space(packages)
            print(
                f"{len(packages)} packages to do: {space.download / 1e9:.2f} GB to download, "
                f"about {space.result / 1e9:.2f} GB of audio to {out}, "
                f"and up to {space.peak / 1e9:.2f} GB in {work} while it runs",
                file=sys.stderr,
            )
            check_space(space, out, work)
        with Progress(total=len(packages), unit="packages") as progress:
            builder.build(packages, lambda package, outcome: progress.step(_describe(package, outcome)))
    print(f"corpus in {out}{'' if packages else ': nothing left to do'}")
    _say_how_to_find(out)
    return 0


def _describe(package: Package, outcome: Built | CorpusError) -> str:
    """One line on a finished package."""
    if isinstance(outcome, CorpusError):
        return f"failed: {outcome}"
    notes = [f"{package.name}: {len(outcome.rows)} clips, {outcome.seconds / 60:.1f} min"]
    if outcome.version != package.version:
        notes.append(f"version {outcome.version} instead of the recipe's {package.version}")
    if outcome.undecodable:
        notes.append(f"{len(outcome.undecodable)} files could not be decoded, first {outcome.undecodable[0]}")
    return "; ".join(notes)


def _use_prepared(folder: Path) -> int:
    corpus = load_corpus(folder)
    hours = sum(stream.duration_s for stream in corpus.streams) / 3_600
    print(f"prepared corpus in {folder}: {hours:.1f} h, nothing to do; --download builds the whole recipe")
    _say_how_to_find(folder)
    return 0


def _say_how_to_find(folder: Path) -> None:
    """Tell what the other commands need to be told, if anything."""
    try:
        found = find_corpus().resolve() == folder.resolve()
    except CorpusError:
        found = False
    if not found:
        print(f"the other commands use it with --corpus {folder} or OIDO_CORPUS={folder}")


def _info(arguments: argparse.Namespace) -> int:
    if arguments.packages:
        splits = load_splits()
        _print_table(
            ("package", "version", "split", "licence", "holds"),
            [
                (package.name, package.version, splits[package.name], package.licence, package.holds)
                for package in load_recipe().packages
            ],
        )
        return 0
    corpus = load_corpus(find_corpus(arguments.corpus))
    print(f"{corpus.root}: version {corpus.version}, {len(corpus.packages)} source packages, hours:")
    _print_table(("label", "category", *SPLITS, "all"), _hours(corpus.streams))
    return 0


def _hours(streams: Iterable[Stream]) -> list[tuple[str, ...]]:
    """Hours of each label, and under it of each category, by split; ambience recordings are a label here."""
    seconds: dict[tuple[str, str], dict[Split, float]] = defaultdict(lambda: dict.fromkeys(SPLITS, 0.0))
    for stream in streams:
        label: str = "ambience" if stream.is_ambience else stream.label
        for clip in stream.clips:
            seconds[label, ""][stream.split] += clip.duration_s
            seconds[label, clip.category][stream.split] += clip.duration_s
    rows = []
    for (label, category), shares in sorted(seconds.items()):
        amounts = [*shares.values(), sum(shares.values())]
        rows.append(("" if category else label, category, *(f"{amount / 3_600:.3f}" for amount in amounts)))
    return rows


def _verify(arguments: argparse.Namespace) -> int:
    root = find_corpus(arguments.corpus)
    checked = 0
    wrong = []
    for name, problem in verify(root):
        checked += 1
        if problem is not None:
            wrong.append(name)
            print(f"{root / name} {problem}")
    if wrong:
        raise CorpusError(
            f"{root}: {len(wrong)} of {checked} files are not as they were built; delete them and build again"
        )
    print(f"{root}: all {checked} files are as they were built")
    return 0


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns, each as wide as its widest cell; numbers to the right."""
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]
    for row in (head, *rows):
        cells = [
            cell.rjust(width) if cell.replace(".", "").isdigit() else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ]
        print("  ".join(cells).rstrip())
