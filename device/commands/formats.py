"""The segments of a recording in the formats of other programs. Pure.

json, csv   lines with the fields of a segment
audacity    a label track: start, end and label between tabs (manual.audacityteam.org, "Label Tracks")
srt         subtitles of SubRip, for players of music and films
textgrid    an interval tier of Praat (fon.hum.uva.nl/praat, "TextGrid file formats"), in its long form
rttm        Rich Transcription Time Marked (NIST's RT-09 evaluation plan, appendix A): pyannote and dscore read it

Audacity's labels, subtitles and RTTM hold the music alone; what is between is no music.
"""

import io
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Literal

from device.commands.rows import writer

Format = Literal["json", "csv", "audacity", "srt", "textgrid", "rttm"]

SUFFIXES: dict[Format, str] = {
    "json": ".jsonl",
    "csv": ".csv",
    "audacity": ".txt",
    "srt": ".srt",
    "textgrid": ".TextGrid",
    "rttm": ".rttm",
}

OF_ONE_RECORDING: frozenset[Format] = frozenset({"audacity", "srt", "textgrid"})
"""Formats that cannot say of which recording they are."""


@dataclass(frozen=True, slots=True)
class SegmentLine:
    """A stretch of a file."""

    file: str
    onset: float
    """Seconds from the beginning of the file."""
    offset: float
    label: str
    """`music` or `no_music`."""
    score: float | None
    """Mean probability of music, calibrated."""


HEADER = tuple(field.name for field in fields(SegmentLine))


def document(lines: Sequence[SegmentLine], form: Format) -> str:
    """All segments of one recording, in order, as the text of a file of that format."""
    music = [line for line in lines if line.label == "music"]
    match form:
        case "audacity":
            return "".join(f"{line.onset:.6f}\t{line.offset:.6f}\tmusic\n" for line in music)
        case "srt":
            return "\n".join(
                f"{number}\n{_clock(line.onset)} --> {_clock(line.offset)}\nmusic\n"
                for number, line in enumerate(music, 1)
            )
        case "textgrid":
            return _text_grid(lines)
        case "rttm":
            return "".join(map(_rttm, music))
        case "json" | "csv":
            stream = io.StringIO()
            write = writer(stream, HEADER, form=form)
            for line in lines:
                write(asdict(line))
            return stream.getvalue()


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1_000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1_000:02d},{rest % 1_000:03d}"


def _text_grid(lines: Sequence[SegmentLine]) -> str:
    end = lines[-1].offset if lines else 0.0
    intervals = "".join(
        f"        intervals [{number}]:\n"
        f"            xmin = {line.onset:.3f}\n"
        f"            xmax = {line.offset:.3f}\n"
        f'            text = "{line.label}"\n'
        for number, line in enumerate(lines, 1)
    )
    return (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
        f"xmin = 0\nxmax = {end:.3f}\ntiers? <exists>\nsize = 1\nitem []:\n"
        '    item [1]:\n        class = "IntervalTier"\n        name = "music"\n'
        f"        xmin = 0\n        xmax = {end:.3f}\n        intervals: size = {len(lines)}\n{intervals}"
    )


def _rttm(line: SegmentLine) -> str:
    """Fields stand between spaces, so the recording is called by its path without suffix and without spaces."""
    called = "_".join(os.path.splitext(line.file)[0].split())  # noqa: PTH122 - never fails, whatever the name
    score = "<NA>" if line.score is None else f"{line.score:.4f}"
    length = line.offset - line.onset
    return f"SPEAKER {called} 1 {line.onset:.3f} {length:.3f} <NA> <NA> music {score} <NA>\n"
