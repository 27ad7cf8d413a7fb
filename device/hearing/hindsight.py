"""A recording is known whole: the most likely sequence of states over all its answers. Pure.

The state is music or no music, each answer is evidence for one of them, and every change of state costs. Of all
sequences, Viterbi's algorithm finds the one with the most evidence left after these costs (Viterbi 1967; Rabiner
1989, "A Tutorial on Hidden Markov Models"). So a segment begins and ends where the sound does, and a clatter that
is taken for music for a moment is none.
"""

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class Answers:
    """All answers of a recording, in order; their stretches join. 24 bytes each: 1.8 MB for ten hours."""

    ends: "array[int]" = field(default_factory=lambda: array("q", (0,)))
    """Samples; the first is where the first stretch begins."""
    probabilities: "array[float]" = field(default_factory=lambda: array("d"))
    evidence: "array[float]" = field(default_factory=lambda: array("d"))

    @classmethod
    def of(cls, scores: Iterable[Score]) -> "Answers":
        """Of scores that are at hand."""
        made = cls()
        for score in scores:
            made.add(score)
        return made

    def add(self, score: Score) -> None:
        """The next."""
        if not self.probabilities:
            self.ends[0] = score.start
        self.ends.append(score.end)
        self.probabilities.append(score.probability)
        self.evidence.append(score.evidence)

    def __len__(self) -> int:
        """How many."""
        return len(self.probabilities)


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

    @property
    def even(self) -> float:
        """The probability at which an answer speaks neither for music nor against it."""
        return 1 / (1 + math.exp(self.bias_nats))

    def decide(self, answers: Answers, end: int) -> Step:
        """All segments of a recording, from its beginning to its end, and the events between them.

        Args:
            answers: all of them.
            end: how far the recording was heard, in samples.
        """
        if not len(answers):
            return Step()
        states = self._states(answers)
        changes = [place for place in range(1, len(states)) if states[place] != states[place - 1]]
        segments, events = [], []
        for first, following in pairwise((0, *changes, len(states))):
            start = 0 if first == 0 else answers.ends[first]
            stop = end if following == len(states) else min(end, answers.ends[following])
            if start >= stop:
                continue  # a recording that ends within a patch is not heard to the end of its last stretch
            probabilities = answers.probabilities[first:following]
            mean = math.fsum(probabilities) / len(probabilities)
            music = states[first]
            segments.append(Segment(start, stop, Music.ON if music else Music.OFF, mean))
            if music:
                peak = max(probabilities)
                events.append(Event("music_started", start, None, peak, mean))
                events.append(Event("music_stopped", start, stop, peak, mean))
        return Step(tuple(events), tuple(segments))

    def _states(self, answers: Answers) -> Sequence[int]:
        """Of each answer, 1 if it is music.

        `best[s]` holds for each answer the most that any sequence is worth which ends in state s there. It either
        stays in s, or has changed to s so many answers ago as s must last.
        """
        evidence = array("d", ((each + self.bias_nats) / 2 for each in answers.evidence))
        total = array("d", accumulate(evidence, initial=0.0))
        lasts = [self._answers(self.min_off_s, answers), self._answers(self.min_on_s, answers)]
        best = (array("d", (-evidence[0],)), array("d", (evidence[0],)))
        came = (array("l", (0,)), array("l", (0,)))
        """For each state and answer, how many answers ago the state began; 0: before, or with the recording."""
        for place in range(1, len(evidence)):
            worth, since = [0.0, 0.0], [0, 0]
            for state, sign in ((0, -1.0), (1, 1.0)):
                worth[state] = best[state][-1] + sign * evidence[place]
                # At the end of the recording, a state may be shorter.
                shortest = lasts[state] if place + 1 < len(evidence) else 1
                for length in range(shortest, lasts[state] + 1):
                    begin = place - length
                    if begin < 0:
                        break
                    gained = sign * (total[place + 1] - total[begin + 1])
                    changed = best[1 - state][begin] - self.change_nats + gained
                    if changed > worth[state]:
                        worth[state], since[state] = changed, length
            for state in (0, 1):
                best[state].append(worth[state])
                came[state].append(since[state])
        return _followed_back(int(best[1][-1] > best[0][-1]), came)

    @staticmethod
    def _answers(seconds: float, answers: Answers) -> int:
        """So many answers last so long; at least one."""
        hop_s = (answers.ends[-1] - answers.ends[0]) / len(answers) / SAMPLE_RATE
        return max(1, min(len(answers), math.ceil(round(seconds / hop_s, 6)))) if hop_s > 0 else 1


def _followed_back(state: int, came: Sequence[Sequence[int]]) -> Sequence[int]:
    states = array("b")
    place = len(came[0]) - 1
    while place >= 0:
        length = came[state][place]
        count = length or 1
        states.extend((state,) * count)
        if length:
            state = 1 - state
        place -= count
    states.reverse()
    return states
