"""A recording is known whole: the most likely sequence of states over all its answers. Pure.

The state is music or no music, each answer is evidence for one of them, and every change of state costs. Of all
sequences, Viterbi's algorithm finds the one with the most evidence left after these costs (Viterbi 1967; Rabiner
1989, "A Tutorial on Hidden Markov Models"). So a segment begins and ends where the sound does, and a clatter that
is taken for music for a moment is none.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from device.configuration.settings import DecisionConfig, Mode
from device.hearing.decision import Event, Music, Score, Segment, Step
from device.hearing.models.sidecar import log_odds
from device.sound import SAMPLE_RATE

CHANGE_NATS = 12.0
"""What a change of state costs: about as much evidence as one answer that is sure. Chosen on the validation
packages: with less, more is taken for music in hours without any; with more, short pieces get lost."""

BIAS_NATS: Mapping[Mode, float] = {"precision": -1.0, "balanced": 0.0, "recall": 1.0}
"""What is added to the evidence of each answer."""


@dataclass(frozen=True, slots=True)
class Hindsight:
    """What states cost and how long they last."""

    bias_nats: float = 0.0
    change_nats: float = CHANGE_NATS
    min_on_s: float = 0.0
    """No music is shorter, unless the recording begins or ends in it."""
    min_off_s: float = 0.0
    """No pause is shorter, with the same exception."""

    @classmethod
    def of(cls, config: DecisionConfig, mode: Mode) -> "Hindsight":
        """As configured: `on` is the probability from which an answer speaks for music; durations are kept."""
        bias = BIAS_NATS[mode]
        if config.on is not None:
            limited = min(max(config.on, 1e-6), 1 - 1e-6)
            bias = -log_odds(limited)
        return cls(bias_nats=bias, min_on_s=config.min_on_s or 0.0, min_off_s=config.min_off_s or 0.0)

    def decide(self, scores: Sequence[Score], end: int) -> Step:
        """All segments of a recording, from its beginning to its end, and the events between them.

        Args:
            scores: all answers, in order; their stretches join.
            end: how far the recording was heard, in samples.
        """
        if not scores:
            return Step()
        states = self._states(scores)
        changes = [place for place in range(1, len(states)) if states[place] != states[place - 1]]
        segments, events = [], []
        for first, following in pairwise((0, *changes, len(scores))):
            stretch = scores[first:following]
            start = 0 if first == 0 else stretch[0].start
            stop = end if following == len(scores) else stretch[-1].end
            probabilities = [score.probability for score in stretch]
            mean = math.fsum(probabilities) / len(stretch)
            music = states[first]
            segments.append(Segment(start, stop, Music.ON if music else Music.OFF, mean))
            if music:
                peak = max(probabilities)
                events.append(Event("music_started", start, None, peak, mean))
                events.append(Event("music_stopped", start, stop, peak, mean))
        return Step(tuple(events), tuple(segments))

    def _states(self, scores: Sequence[Score]) -> list[bool]:
        """Of each answer, whether it is music.

        `best[s]` is the most that any sequence is worth which ends in state s at this answer. It either stays in
        s, or has changed to s so many answers ago as s must last.
        """
        evidence = [(score.evidence + self.bias_nats) / 2 for score in scores]
        total = [0.0, *accumulate(evidence)]
        lasts = [self._answers(self.min_off_s, scores), self._answers(self.min_on_s, scores)]
        best = [[-evidence[0], evidence[0]]]
        came = [(0, 0)]
        """For each answer and state, how many answers ago the state began; 0: before, or with the recording."""
        for place in range(1, len(scores)):
            worth, since = [0.0, 0.0], [0, 0]
            for state, sign in ((0, -1.0), (1, 1.0)):
                worth[state] = best[-1][state] + sign * evidence[place]
                # At the end of the recording, a state may be shorter.
                shortest = lasts[state] if place + 1 < len(scores) else 1
                for length in range(shortest, lasts[state] + 1):
                    begin = place - length
                    if begin < 0:
                        break
                    gained = sign * (total[place + 1] - total[begin + 1])
                    changed = best[begin][1 - state] - self.change_nats + gained
                    if changed > worth[state]:
                        worth[state], since[state] = changed, length
            best.append(worth)
            came.append((since[0], since[1]))
        return _followed_back(int(best[-1][1] > best[-1][0]), came)

    @staticmethod
    def _answers(seconds: float, scores: Sequence[Score]) -> int:
        """So many answers last so long; at least one."""
        hop_s = (scores[-1].end - scores[0].start) / len(scores) / SAMPLE_RATE
        return max(1, min(len(scores), math.ceil(round(seconds / hop_s, 6)))) if hop_s > 0 else 1


def _followed_back(state: int, came: Sequence[tuple[int, int]]) -> list[bool]:
    states: list[bool] = []
    place = len(came) - 1
    while place >= 0:
        length = came[place][state]
        count = length or 1
        states += [bool(state)] * count
        if length:
            state = 1 - state
        place -= count
    return states[::-1]
