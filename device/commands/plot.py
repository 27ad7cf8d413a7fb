"""The picture of `oido classify --plot`: score, state, events and level of recordings over time.

matplotlib is imported by `draw` and `save` alone: it is no dependency of the device.
"""

import importlib.util
import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device.commands.timeline import Columns, Timeline, columns
from device.errors import OidoError, UsageError
from device.hearing.decision import Music
from device.sound import SAMPLE_RATE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform

FORMATS = (".png", ".svg", ".pdf")

MOST_FILES = 8
"""More would not be readable in one picture."""

_WIDTH_INCHES, _HEIGHT_INCHES, _DPI = 11.0, 3.7, 120

_COLUMNS = 1_100
"""About as many as the axes are pixels wide."""

_MUSIC, _NO_MUSIC, _UNKNOWN = "#1f8a84", "#d9dde0", "#f3c9a5"
_INK, _FAINT, _LIMIT = "#22313a", "#8a979e", "#c4572b"
_COLOURS = {Music.ON: _MUSIC, Music.OFF: _NO_MUSIC, Music.UNKNOWN: _UNKNOWN}

_QUIETEST_DBFS = -90.0
"""The axis ends here at the latest; digital silence is drawn at its end."""

_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400)
_TICKS = 12

_APART = 0.045
"""The time of a start is written only where this part of the width is free."""

_ABOVE = 1.3
"""Where marks stand, in heights of the strip of states."""

_HOUR_S = 3_600

_FINE_S = 60.0
"""Shorter recordings have tenths of a second."""


def check(path: Path, files: Sequence[str]) -> None:
    """Refuse a picture that cannot be drawn, before any file is heard.

    Args:
        path: of the picture.
        files: the recordings in it.

    Raises:
        UsageError: it cannot be drawn; the message says why.
        OidoError: matplotlib is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"--plot {path}: a picture's name ends in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    if len(files) > MOST_FILES:
        raise UsageError(f"--plot: {len(files)} files; at most {MOST_FILES} fit below each other in one picture")
    if not os.path.isdir(path.absolute().parent):  # noqa: PTH112 - never fails, however long the name
        raise UsageError(f"--plot {path}: there is no folder {path.absolute().parent}; make it first")
    if importlib.util.find_spec("matplotlib") is None:
        raise OidoError("--plot needs matplotlib, which is not installed here: pip install 'oido[plot]'")


def save(timelines: Sequence[Timeline], path: Path) -> None:
    """Draw recordings into a file, which appears only when it is whole; the same in makes the same bytes.

    Args:
        timelines: at least one.
        path: accepted by `check`.

    Raises:
        OidoError: it cannot be written.
    """
    import matplotlib as mpl  # noqa: PLC0415 - as said above

    form = path.suffix.lower().removeprefix(".")
    dates = {"svg": "Date", "pdf": "CreationDate"}
    metadata = {dates[form]: None} if form in dates else {"Software": None}
    half_written = path.with_name(f".{path.name}.part")
    # The font may lack letters of a file's name; they are drawn as boxes, without a warning.
    with warnings.catch_warnings(), mpl.rc_context({"svg.hashsalt": "oido", "svg.fonttype": "none"}):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        try:
            draw(timelines).savefig(half_written, format=form, metadata=metadata)
            half_written.replace(path)
        except OSError as error:
            half_written.unlink(missing_ok=True)
            raise OidoError(f"--plot {path}: cannot be written: {error.strerror}") from error


def draw(timelines: Sequence[Timeline]) -> "Figure":
    """A figure: for each recording three axes below each other, which share their time.

    They are its state with its events, its score with the thresholds, and its level.
    """
    from matplotlib import rc_context  # noqa: PLC0415 - as said above
    from matplotlib.figure import Figure  # noqa: PLC0415 - the same; not pyplot, which may ask for a display
    from matplotlib.transforms import Bbox  # noqa: PLC0415 - the same

    with rc_context({"font.size": 9, "axes.edgecolor": _FAINT, "axes.linewidth": 0.6, "text.parse_math": False}):
        figure = Figure(figsize=(_WIDTH_INCHES, _HEIGHT_INCHES * len(timelines)), dpi=_DPI, layout="constrained")
        parts = figure.subfigures(len(timelines), 1, squeeze=False)[:, 0]
        for part, timeline in zip(parts, timelines, strict=True):
            seconds = timeline.heard / SAMPLE_RATE
            state, score, level = part.subplots(3, 1, sharex=True, height_ratios=(0.13, 1, 0.42))
            _draw_state(state, timeline, seconds)
            _draw_score(score, timeline, seconds)
            _draw_level(level, timeline, seconds)
            _draw_time(level, timeline, seconds)
            state.set_title(_title(timeline, seconds), loc="left", fontsize=10, color=_INK, pad=16)
            part.align_ylabels([score, level])
        # What the layout's solver finds differs in the last digits from one time to the next.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for axes in figure.axes:
            axes.set_position(Bbox(np.round(axes.get_position().get_points(), 4)))
    return figure


def _draw_state(axes: "Axes", timeline: Timeline, seconds: float) -> None:
    """A strip of states; above it a mark where music started and where it stopped."""
    for segment in timeline.segments:
        start_s, end_s = segment.start / SAMPLE_RATE, segment.end / SAMPLE_RATE
        axes.axvspan(start_s, end_s, color=_COLOURS[segment.music], linewidth=0)
    above = axes.get_xaxis_transform()
    starts_s = [event.started / SAMPLE_RATE for event in timeline.events if event.ended is None]
    stops_s = [event.ended / SAMPLE_RATE for event in timeline.events if event.ended is not None]
    for marks_s, shape, size, colour in ((starts_s, ">", 4.0, _MUSIC), (stops_s, "s", 2.5, _FAINT)):
        if not marks_s:
            continue  # a line of no points has no place, and with it the layout has none
        places = (marks_s, [_ABOVE] * len(marks_s), shape)
        axes.plot(*places, markersize=size, color=colour, transform=above, clip_on=False)
    for at_s in starts_s:
        free_s = min((mark_s - at_s for mark_s in (*starts_s, *stops_s, seconds) if mark_s > at_s), default=0.0)
        if free_s > _APART * seconds:
            _write(axes, _clock(at_s, fine=seconds < _FINE_S), (at_s, _ABOVE), above, _MUSIC)
    _write(axes, "music", (1, 0.85), axes.transAxes, _MUSIC)
    _write(axes, "no music", (1, 0.1), axes.transAxes, _FAINT)
    axes.set(ylim=(0, 1), yticks=[])
    axes.set_ylabel("state", rotation=0, ha="right", va="center")
    axes.tick_params(bottom=False)
    axes.spines[:].set_visible(False)


def _draw_score(axes: "Axes", timeline: Timeline, seconds: float) -> None:
    for segment in timeline.segments:
        if segment.music is Music.ON:
            start_s, end_s = segment.start / SAMPLE_RATE, segment.end / SAMPLE_RATE
            axes.axvspan(start_s, end_s, color=_MUSIC, alpha=0.1, linewidth=0)
    found = columns(timeline.scores, seconds=seconds, count=_COLUMNS) if timeline.scores.value else None
    if found is not None:
        _draw_columns(axes, found, _INK)
    for (name, at), style in zip(timeline.limits.items(), ("--", ":"), strict=False):
        axes.axhline(at, color=_LIMIT, linestyle=style, linewidth=0.9)
        _write(axes, f"{name} {at:.2f}", (1, at), axes.get_yaxis_transform(), _LIMIT)
    axes.set(ylim=(-0.02, 1.02), yticks=[0, 0.5, 1])
    axes.set_ylabel("probability\nof music")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_level(axes: "Axes", timeline: Timeline, seconds: float) -> None:
    lowest = _QUIETEST_DBFS
    if timeline.levels_dbfs.value:
        found = columns(timeline.levels_dbfs, seconds=seconds, count=_COLUMNS, decibels=True)
        finite = found.low[np.isfinite(found.low)]
        lowest = max(_QUIETEST_DBFS, 10 * math.floor(float(finite.min(initial=-20.0)) / 10))
        if len(finite) < len(found.low):
            lowest = min(lowest, -60.0)
        low, mean, high = (np.maximum(each, lowest) for each in (found.low, found.mean, found.high))
        axes.fill_between(found.at_s, lowest, mean, color=_FAINT, alpha=0.35, linewidth=0)
        _draw_columns(axes, Columns(found.at_s, low, mean, high, found.width_s), _FAINT)
    axes.set(ylim=(lowest, 0))
    axes.set_ylabel("level\ndBFS")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_columns(axes: "Axes", found: Columns, colour: str) -> None:
    """The mean as a line; where values were thinned out, from the lowest to the highest as a band behind it."""
    if found.width_s is not None:
        axes.fill_between(found.at_s, found.low, found.high, color=colour, alpha=0.3, linewidth=0)
    marker = "." if len(found.at_s) == 1 else "none"
    axes.plot(found.at_s, found.mean, color=colour, linewidth=0.9, marker=marker)


def _write(axes: "Axes", text: str, at: tuple[float, float], measured: "Transform", colour: str) -> None:
    """Write a few words to the right of a point."""
    offset: Any = {"xytext": (4, 0), "textcoords": "offset points", "annotation_clip": False}
    axes.annotate(text, at, xycoords=measured, **offset, va="center", fontsize=7, color=colour)


def _draw_time(axes: "Axes", timeline: Timeline, seconds: float) -> None:
    step_s = next((step for step in _STEPS_S if seconds / step <= _TICKS), _STEPS_S[-1])
    axes.set_xlim(0, max(seconds, 1e-3))
    ticks = np.arange(0, seconds + 1e-6, step_s)
    axes.set_xticks(ticks, [_clock(float(tick)) for tick in ticks])
    label = f"time in the recording ({'h:min:s' if seconds >= _HOUR_S else 'min:s'})"
    if len(timeline.scores.value) > _COLUMNS:
        label += f"; line: mean, band: lowest to highest of each {seconds / _COLUMNS:.2g} s"
    axes.set_xlabel(label, color=_FAINT)


def _title(timeline: Timeline, seconds: float) -> str:
    music = [segment for segment in timeline.segments if segment.music is Music.ON]
    music_s = sum(segment.end - segment.start for segment in music) / SAMPLE_RATE
    name = "".join(each if each.isprintable() else "?" for each in Path(timeline.file).name)
    counted = (
        f"music {_clock(music_s)} of {_clock(seconds)}, {len(music)} stretch{'es' if len(music) != 1 else ''}"
    )
    return f"{name}  |  {counted}  |  {timeline.model}, {timeline.mode}"


def _clock(seconds: float, *, fine: bool = False) -> str:
    """1:02:03, 2:03, or, fine, 0:03.4."""
    tenths = round(seconds * 10) if fine else round(seconds) * 10
    hours, rest = divmod(tenths, 36_000)
    minutes, rest = divmod(rest, 600)
    tail = f"{rest // 10:02d}" + (f".{rest % 10}" if fine else "")
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"
