"""Where results of `oido classify` go: standard output, a folder, a picture, and what failed."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from device.command_line import complain
from device.commands.files import STANDARD_INPUT
from device.commands.formats import HEADER, SUFFIXES, Format, document
from device.commands.one_file import Result, SummaryLine
from device.commands.plot import save
from device.commands.rows import writer
from device.errors import OidoError

if TYPE_CHECKING:
    from device.commands.timeline import Timeline


class Output:
    """Prints or writes results as they come; failures go to standard error and decide the exit code."""

    def __init__(
        self, *, form: Format, folder: Path | None, names: Iterable[str], summary: bool, plot: Path | None
    ) -> None:
        """Make the folder, before hours are heard; print the header of a table.

        Args:
            form: of the segments.
            folder: for a file for each recording; None: standard output.
            names: what the recordings are called in that folder.
            summary: print a line for each recording; segments go nowhere without a folder.
            plot: where the picture goes, if there is one.

        Raises:
            OidoError: the folder cannot be made.
        """
        self._form, self._folder, self._summary, self._plot = form, folder, summary, plot
        self._names = _names(names, SUFFIXES[form])
        self._code = 0
        self._timelines: list[Timeline] = []
        self._heard = 0
        self._seconds = self._music_s = 0.0
        header = [each.name for each in fields(SummaryLine)] if summary else HEADER
        self._row = None
        if folder is not None:
            _make(folder)
        if summary or (folder is None and form in {"json", "csv"}):
            self._row = writer(sys.stdout, header, form="csv" if form == "csv" else "json")

    def take(self, result: Result) -> None:
        """Of the next file.

        Raises:
            OidoError: its segments cannot be written.
        """
        self._take_segments(next(self._names), result)
        if result.summary is not None:
            self._take_summary(result.summary)
        if result.error is not None:
            self.fail(result.error)
        for remark in result.remarks:
            complain("oido", f"warning: {remark}")
        if result.timeline is not None:
            self._timelines.append(result.timeline)

    def _take_segments(self, name: str, result: Result) -> None:
        if self._folder is not None:
            if result.segments:
                _write(self._folder / name, document(result.segments, self._form))
        elif self._row is None:
            _print(document(result.segments, self._form))
        elif not self._summary:
            for line in result.segments:
                self._row(asdict(line))

    def _take_summary(self, line: SummaryLine) -> None:
        self._heard += 1
        self._seconds += line.duration_s
        self._music_s += line.music_s
        if self._summary and self._row is not None:
            self._row(asdict(line))

    def fail(self, sentence: str) -> None:
        """Something could not be heard."""
        complain("oido", f"error: {sentence}")
        self._code = OidoError.exit_code

    def end(self) -> int:
        """Say what all files came to, and draw; the exit code."""
        if self._summary and self._heard > 1:
            share = self._music_s / self._seconds if self._seconds else 0.0
            hours = f"{self._seconds / 3_600:.2f} hours, {self._music_s / 3_600:.2f} of them music ({share:.1%})"
            complain("oido", f"{self._heard} recordings: {hours}")
        if self._timelines and self._plot is not None:
            save(self._timelines, self._plot)
        return self._code


def _names(names: Iterable[str], suffix: str) -> Iterator[str]:
    """Names of files for recordings; recordings of the same name are numbered, in their order."""
    taken: set[str] = set()
    for name in names:
        found, number = name, 1
        while found.casefold() in taken:  # some file systems tell no A from a
            number += 1
            found = f"{name}.{number}"
        taken.add(found.casefold())
        yield ("standard_input" if found == STANDARD_INPUT else found) + suffix


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        OidoError: it cannot be written.
    """
    half_written = path.with_name(f".{path.name}.part")
    _make(path.parent)
    try:
        try:
            half_written.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
            half_written.replace(path)
        finally:
            half_written.unlink(missing_ok=True)
    except OSError as error:
        raise OidoError(f"--out {path}: cannot be written: {error.strerror}") from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OidoError(f"--out {folder}: the folder cannot be made: {error.strerror}") from error


def _print(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()
