"""Sound becomes scores, the same ones however the samples arrive.

`PatchCutter` regroups blocks into pieces of exactly the size that the model's next answer needs. Everything after
it sees the same shapes and gives the same bits whatever the size of the blocks, so that a replay decides as the
live run did. No answer is given of less than a whole patch.
"""

import numpy as np

from device.hearing.decision import Score
from device.hearing.front_end.stream import FrontEnd
from device.hearing.hearings import MakeFrontEnd, hearing_of
from device.hearing.models.loading import Model
from device.hearing.patch_cutter import FIRST_PATCH_SAMPLES, PATCH_SAMPLES
from device.sound import SAMPLE_RATE, FloatArray

_REACH_SAMPLES = FIRST_PATCH_SAMPLES - PATCH_SAMPLES
"""The last frame of a patch reaches 15 ms beyond it. The next frame is made of these samples too."""


class Classifier:
    """A model listening to one stream. Not thread-safe.

    Args:
        model: of any kind.
        front_end: makes the front end of each model that listens.
    """

    def __init__(self, model: Model, *, front_end: MakeFrontEnd = FrontEnd) -> None:
        self._front_end = front_end
        self._hearing = hearing_of(model, front_end)
        self._answers = 0  # of the present model
        self._end = 0  # of the latest patch, in samples
        self._spoken = 0
        self._overlap = np.zeros(0, np.float32)  # what the latest patch's last frame reached beyond it
        self._lead = self._overlap  # that again, for a new model's first patch

    @property
    def next_samples(self) -> int:
        """How many samples the next answer needs: what `PatchCutter` is to ask.

        15,600 at first: a patch, and what its last frame reaches beyond it. 15,360, a patch, for the first answer
        of a model that takes over, as that reach was heard already. Then the model's hop.
        """
        if self._answers:
            return self._hearing.hop_samples
        return FIRST_PATCH_SAMPLES - self._lead.size

    @property
    def hop_s(self) -> float:
        """Seconds between answers."""
        return self._hearing.hop_samples / SAMPLE_RATE

    @property
    def window_s(self) -> float:
        """Seconds that an answer speaks for; it is dated at their middle."""
        return self._window_samples(self._hearing.recent_patches) / SAMPLE_RATE

    @property
    def context_s(self) -> float:
        """The most seconds of sound that an answer depends on, at least `window_s`.

        An answer of a segment model speaks for its recent patches, which usually decide it. The ten seconds of
        context count too: where they disagree, a change may show only once they have passed.
        """
        return self._hearing.context_samples / SAMPLE_RATE

    def answer(self, samples: FloatArray) -> Score:
        """Score the stream after its next piece, (next_samples,) float32.

        Raises:
            ModelError: the model does not take what its description says, or gives no probabilities.
            ValueError: the piece has another size.
        """
        if samples.size != self.next_samples:
            raise ValueError(f"a piece of {samples.size} samples, where {self.next_samples} are needed")
        heard = np.concatenate((self._lead, samples)) if self._lead.size else samples
        probability = self._hearing.answer(heard)
        self._answers += 1
        self._end += heard.size - _REACH_SAMPLES if self._answers == 1 else samples.size
        self._lead, self._overlap = self._lead[:0], samples[-_REACH_SAMPLES:].copy()
        # An answer speaks for the middle of its window, half way to the answers before and after it.
        start, self._spoken = self._spoken, (self._middle(0) + self._middle(1)) // 2
        return Score(
            start=start,
            end=self._spoken,
            heard=self._end + _REACH_SAMPLES,
            probability=probability,
            recent=self._hearing.recent,
        )

    def replace(self, model: Model) -> None:
        """Go on with another model, of any kind; its window begins with the next sample."""
        self._hearing = hearing_of(model, self._front_end)
        self._answers = 0
        self._lead = self._overlap

    def _window_samples(self, answers: int) -> int:
        """What the present model's n-th answer speaks for."""
        patches = min(answers, self._hearing.recent_patches)
        return PATCH_SAMPLES + (patches - 1) * self._hearing.hop_samples

    def _middle(self, later: int) -> int:
        """Middle, in samples, of the window of the n-th answer after the latest."""
        end = self._end + later * self._hearing.hop_samples
        return end - self._window_samples(self._answers + later) // 2


def try_model(model: Model) -> None:
    """Let a model judge a second of silence, before it replaces one that works.

    Raises:
        ModelError: the model does not take what its description says, or gives no probabilities.
    """
    classifier = Classifier(model)
    classifier.answer(np.zeros(classifier.next_samples, np.float32))
