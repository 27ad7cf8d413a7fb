"""`oido history`: when music played, from the history that the daemon keeps."""

import argparse
import logging
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Literal, TextIO

from device.commands.options import add_config
from device.commands.rows import Row, writer
from device.configuration.settings import load
from device.errors import UsageError
from device.storage.history import FILE, DailyTotal, Interval, daily_totals, intervals, reading
from device.storage.state import directory_to_look_at

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `history`."""
    add_config(parser)
    parser.add_argument(
        "--since",
        type=moment,
        metavar="DATE",
        help="from when: today, yesterday, 7d (seven days ago), 2026-05-01 or 2026-05-01T18:30; local time if no "
        "offset is given (default: all)",
    )
    parser.add_argument(
        "--until", type=moment, metavar="DATE", help="until when, likewise; not included (default: now)"
    )
    parser.add_argument("--source", metavar="NAME", help="only this source")
    parser.add_argument(
        "--daily", action="store_true", help="print the minutes of music of each day, from midnight to midnight"
    )
    parser.add_argument(
        "--state-dir",
        metavar="DIR",
        type=Path,
        help="state directory of the daemon (default: as configured, else as found)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print CSV")
    form.add_argument("--json", action="store_true", help="print JSON lines")


def run(arguments: argparse.Namespace) -> int:
    """Print intervals, or daily totals."""
    since = -math.inf if arguments.since is None else arguments.since
    until = datetime.now(UTC).timestamp() if arguments.until is None else arguments.until
    if since >= until:
        raise UsageError("--since must lie before --until")
    directory = arguments.state_dir or directory_to_look_at(load(arguments.config))
    form: Literal["text", "csv", "json"] = "csv" if arguments.csv else "json" if arguments.json else "text"
    with reading(directory / FILE) as connection:
        found = _marked(intervals(connection, since=since, until=until, source=arguments.source))
        rows: Iterator[Row]
        if arguments.daily:
            header, rows = _DAILY, map(daily_row, daily_totals(found, since=since, until=until))
        else:
            header, rows = _INTERVALS, map(interval_row, found)
        write_row = _columns(sys.stdout, header) if form == "text" else writer(sys.stdout, header, form=form)
        for row in rows:
            write_row(row)
    return 0


def _marked(found: Iterator[Interval]) -> Iterator[Interval]:
    """The same; says at the end how many cannot be dated."""
    undated = 0
    for interval in found:
        undated += not interval.clock_set
        yield interval
    if undated:
        _log.warning("%d of these intervals are from before the clock was set: their dates are wrong", undated)


_INTERVALS: Sequence[str] = (
    "source",
    "started",
    "ended",
    "duration_s",
    "peak",
    "mean",
    "model",
    "id",
    "clock_set",
)
_DAILY: Sequence[str] = ("day", "source", "music_min", "intervals")
_WIDTHS = {"source": 16, "started": 29, "ended": 29, "duration_s": 11, "day": 10, "music_min": 9}


def interval_row(interval: Interval) -> Row:
    """One interval, times local with their offset."""
    return {
        "source": interval.source,
        "started": _local(interval.started),
        "ended": _local(interval.ended),
        "duration_s": round(interval.ended - interval.started, 3),
        "peak": interval.peak,
        "mean": interval.mean,
        "model": interval.model,
        "id": interval.id,
        "clock_set": interval.clock_set,
    }


def daily_row(total: DailyTotal) -> Row:
    """One day of one source."""
    return {
        "day": total.day.isoformat(),
        "source": total.source,
        "music_min": round(total.music_min, 2),
        "intervals": total.intervals,
    }


def _columns(stream: TextIO, header: Sequence[str]) -> Callable[[Row], None]:
    widths = {name: _WIDTHS.get(name, 0) for name in header if name in _WIDTHS or name == "intervals"}

    def write_row(row: Row) -> None:
        print("  ".join(f"{row[name]!s:<{width}}" for name, width in widths.items()).rstrip(), file=stream)

    write_row({name: name for name in header})
    return write_row


def moment(text: str, today: date | None = None) -> float:
    """Seconds since the epoch.

    Args:
        text: an ISO 8601 date or time, local unless it has an offset; or `today`, `yesterday` or `7d`, which are
            the midnights that today, yesterday and the day seven days ago began with.
        today: None: as the clock says.

    Raises:
        argparse.ArgumentTypeError: it is nothing of that, or too far away.
    """
    days = {"today": 0, "yesterday": 1}.get(text)
    if days is None and text.endswith("d") and text[:-1].isdecimal():
        days = int(text[:-1])
    try:
        if days is None:
            return datetime.fromisoformat(text).timestamp()
        return datetime.combine((today or date.today()) - timedelta(days), time()).timestamp()  # noqa: DTZ011 - local
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no date: write today, yesterday, 7d (seven days ago), 2026-05-01 or 2026-05-01T18:30"
        ) from error


def _local(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(timespec="milliseconds")
