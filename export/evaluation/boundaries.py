"""How well segments of music match what was really played: frames, boundaries, and music where there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from device.hearing.decision import Music, Segment
from device.sound import SAMPLE_RATE
from export.corpus.programmes import Programme
from export.markdown import table

_FRAME_SAMPLES = SAMPLE_RATE // 100
_NEAR_S = 3.0
"""A boundary further from a true one is another."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What one way of deciding made of the programmes, and of the sound without music."""

    programmes: Sequence[Sequence[Segment]]
    without: Sequence[Sequence[Segment]]
    """Of each stream without music."""

    def row(self, name: str, reference: Sequence[Programme]) -> list[str]:
        """Cells of `report`."""
        hits = wrong = missed = 0
        starts: list[float] = []
        stops: list[float] = []
        for segments, programme in zip(self.programmes, reference, strict=True):
            ours, truth = _frames(segments, programme.samples), _true_frames(programme)
            hits += int((ours & truth).sum())
            wrong += int((ours & ~truth).sum())
            missed += int((truth & ~ours).sum())
            for number, boundary in enumerate(programme.boundaries):
                is_start = (number % 2 == 0) != programme.begins_with_music
                wanted = Music.ON if is_start else Music.OFF
                errors = [(each.start - boundary) / SAMPLE_RATE for each in segments[1:] if each.music is wanted]
                nearest = min(errors, key=abs, default=np.inf)
                if abs(nearest) <= _NEAR_S:
                    (starts if is_start else stops).append(nearest)
        made = sum(len(segments) - 1 for segments in self.programmes)
        real = sum(len(programme.boundaries) for programme in reference)
        music = [each for segments in self.without for each in segments if each.music is Music.ON]
        heard = sum(segments[-1].end for segments in self.without if segments)
        return [
            name,
            f"{2 * hits / max(1, 2 * hits + wrong + missed):.4f}",
            _error(starts),
            _error(stops),
            f"{len(starts) + len(stops)} of {real}",
            str(made),
            f"{3600 * len(music) * SAMPLE_RATE / heard:.1f}" if heard else "",
            f"{100 * sum(each.end - each.start for each in music) / heard:.2f} %" if heard else "",
        ]


def report(cuts: dict[str, Cut], reference: Sequence[Programme]) -> str:
    """A Markdown table: each way of deciding, on the same programmes.

    Errors of boundaries are medians in seconds, of their size and, in brackets, with their sign: plus is late.
    """
    head = (
        "segments",
        "frame F1",
        "start error",
        "stop error",
        "boundaries found",
        "boundaries made",
        "false starts an hour",
        "taken for music",
    )
    return table(head, [cut.row(name, reference) for name, cut in cuts.items()])


def _frames(segments: Sequence[Segment], samples: int) -> npt.NDArray[np.bool_]:
    """(n,) of each 10 ms, whether it is music."""
    frames = np.zeros(samples // _FRAME_SAMPLES, np.bool_)
    for each in segments:
        if each.music is Music.ON:
            frames[each.start // _FRAME_SAMPLES : each.end // _FRAME_SAMPLES] = True
    return frames


def _true_frames(programme: Programme) -> npt.NDArray[np.bool_]:
    edges = (0, *programme.boundaries, programme.samples)
    music = [
        Segment(start, end, Music.ON, None)
        for number, (start, end) in enumerate(pairwise(edges))
        if (number % 2 == 0) == programme.begins_with_music
    ]
    return _frames(music, programme.samples)


def _error(errors: Sequence[float]) -> str:
    return f"{np.median(np.abs(errors)):.2f} ({np.median(errors):+.2f})" if errors else ""
