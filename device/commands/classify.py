"""`oido classify`: where in audio files there is music, in many formats, and whole files in one line each."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import get_args

from device.command_line import complain
from device.commands.files import STANDARD_INPUT, Found, find
from device.commands.formats import OF_ONE_RECORDING, Format
from device.commands.one_file import hear
from device.commands.options import add_config, add_model, configuration
from device.commands.output import Output
from device.commands.plot import check
from device.commands.progress_bar import Progress
from device.commands.side_by_side import side_by_side
from device.errors import UsageError
from device.hearing.models.loading import configured_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `classify`."""
    option = parser.add_argument
    parser.description = (
        f"{parser.description}. A recording is known whole, so music begins and ends where that is most likely: "
        "[decision] on is then the probability from which an answer speaks for music, no music is shorter than "
        "min_on_s and no pause shorter than min_off_s, where they are set, and off counts with --as-live alone."
    )
    option(
        "files", nargs="+", metavar="FILE", help="any recording, a folder of them, or - for one on standard input"
    )
    option(
        "--summary",
        action="store_true",
        help="print one line for each file instead of each segment; at the end, hours and share of music of all "
        "of them go to standard error",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--format",
        choices=get_args(Format),
        default="json",
        help="JSON lines, CSV, labels of Audacity, subtitles, TextGrid of Praat, or RTTM (default: json); labels, "
        "subtitles and RTTM hold the music alone",
    )
    form.add_argument("--csv", dest="format", action="store_const", const="csv", help="short for --format csv")
    option(
        "--out",
        type=Path,
        metavar="DIR",
        help="write the segments of each recording into a file of its own in this folder; --summary still goes to "
        "standard output",
    )
    option(
        "--as-live",
        action="store_true",
        help="say what `oido run` would have said, which knows only what was heard until then",
    )
    option(
        "--plot",
        type=Path,
        metavar="OUT",
        help="draw score, state, events and level over time: .png, .svg or .pdf",
    )
    option("--jobs", type=int, default=1, metavar="N", help="files to process at the same time (default: 1)")
    add_config(parser)
    add_model(parser)


def run(arguments: argparse.Namespace) -> int:
    """Classify every file; those that cannot be read are named on standard error."""
    found = find(arguments.files)
    _check(arguments, found)
    config = configuration(arguments)
    model = configured_model(config.model)
    work = partial(hear, config=config, as_live=arguments.as_live, plot=arguments.plot is not None)
    output = Output(
        form=arguments.format,
        folder=arguments.out,
        names=found.names,
        summary=arguments.summary,
        plot=arguments.plot,
    )
    for sentence in found.failures:
        output.fail(sentence)
    for sentence in found.remarks:
        complain("oido", f"warning: {sentence}")
    with ExitStack() as stack:
        whole = Whole(found, stack.enter_context(Progress(sys.stderr)))
        if arguments.jobs > 1:
            results = stack.enter_context(side_by_side(found.files, work, arguments.jobs))
            for _, result in zip(whole.files(), results, strict=False):
                output.take(result)
        else:
            for file in whole.files():
                output.take(work(file, model=model, progress=whole.show))
    return output.end()


def _check(arguments: argparse.Namespace, found: Found) -> None:
    """Refuse what cannot be done, before any file is heard.

    Raises:
        OidoError: the message says why.
    """
    count, form = len(found.files), arguments.format
    if arguments.jobs < 1:
        raise UsageError(f"--jobs {arguments.jobs}: at least one file must be processed at a time")
    if arguments.plot is not None:
        check(arguments.plot, found.files)
    if arguments.jobs > 1 and STANDARD_INPUT in found.files:
        raise UsageError(
            f"--jobs {arguments.jobs}: standard input is heard by one process alone; leave out --jobs"
        )
    if arguments.out is not None:
        return
    if arguments.summary and form not in {"json", "csv"}:
        raise UsageError(f"--summary is JSON or CSV; for the segments as {form} as well, say --out DIR")
    if form in OF_ONE_RECORDING and count > 1:
        raise UsageError(f"--format {form} holds one recording, and there are {count}: say --out DIR")


class Whole:
    """How far all files are, by their sizes."""

    def __init__(self, found: Found, progress: Progress) -> None:
        self._found = found
        self._progress = progress
        self._total = max(1, sum(found.bytes))
        self._before = self._index = 0

    def files(self) -> Iterator[str]:
        """Each file; when the next one is asked for, it is done."""
        for index, file in enumerate(self._found.files):
            self._index = index
            yield file
            self.show(1.0)
            self._before += self._found.bytes[index]

    def show(self, part: float | None) -> None:
        """So much of the present file is done, 0 to 1; None: unknown."""
        count, index = len(self._found.files), self._index
        done = self._before + self._found.bytes[index] * (part or 0.0)
        number = f"file {index + 1} of {count}" if count > 1 else ""
        self._progress.draw(self._found.files[index], done / self._total, number)
