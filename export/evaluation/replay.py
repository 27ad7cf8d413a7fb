"""Sound in memory goes through the whole pipeline of a device: what it reports, and when."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from device.configuration.settings import DecisionConfig, Mode
from device.hearing.classifier import Classifier
from device.hearing.decision import Decision, Event
from device.hearing.models.loading import load_model
from device.hearing.rules import rules
from device.pipeline import listen
from device.sound import SAMPLE_RATE, Block, FloatArray

_BLOCK_SAMPLES = SAMPLE_RATE // 10
"""As a microphone's."""


@dataclass(frozen=True, slots=True)
class Told:
    """A start or a stop, and when the device knew."""

    event: Event
    heard: int
    """How far the stream had been heard, in samples."""
    by_end: bool = False
    """Whether it was told only because the stream ended."""

    @property
    def is_start(self) -> bool:
        """Whether music started."""
        return self.event.kind == "music_started"


@dataclass(frozen=True, slots=True)
class Replay:
    """A device in its default configuration; it can be sent to another process."""

    model: str
    """A model's name, or the path of its sidecar."""
    mode: Mode

    def hear(self, streams: Iterable[Iterable[FloatArray]]) -> Iterator[list[Told]]:
        """Every start and stop that a device reports of each stream, each heard by a fresh device.

        A stream is made of (n,) float32 pieces, 16 kHz mono, that join without a gap.

        Raises:
            ModelError: the model cannot be used.
        """
        model = load_model(self.model)
        for pieces in streams:
            decision = Decision(rules(DecisionConfig(), model, self.mode))
            yield [
                Told(event, seen.heard, by_end=seen.condition == "ended")
                for seen in listen(Played(pieces), Classifier(model), decision)
                for event in seen.step.events
            ]


class Played:
    """Samples in memory as a source."""

    name = "played"

    def __init__(self, pieces: Iterable[FloatArray]) -> None:
        self._pieces = pieces

    def blocks(self) -> Iterator[Block]:
        """A tenth of a second each."""
        start = 0
        for piece in self._pieces:
            for begin in range(0, piece.size, _BLOCK_SAMPLES):
                block = Block(piece[begin : begin + _BLOCK_SAMPLES], start)
                start += block.samples.size
                yield block

    def close(self) -> None:
        """Nothing to close."""
