"""A section of sound becomes probabilities of answers and of segments, as a device with a model gives them.

The device gives an answer every hop. A segment is 9.6 s, the unit of the published models and of people who mark a
recording by ear. A section has as many as fit in, and one more for the rest at its end.
"""

import hashlib
import itertools
import json
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from device.hearing.classifier import Classifier
from device.hearing.decision import Score
from device.hearing.models.loading import Model, load_model
from device.hearing.patch_cutter import PATCH_SAMPLES, PatchCutter
from device.sound import FloatArray

SEGMENT_PATCHES = 10
"""Of a segment, one after the other, 0.96 s apart: 9.6 s."""

SEGMENT_SAMPLES = SEGMENT_PATCHES * PATCH_SAMPLES
"""9.6 s."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Probabilities of music in one section."""

    answers: FloatArray
    """(n,) one each time that a device answers."""
    segments: FloatArray
    """(m,) one for each of `segment_ends`."""


class Ear(Protocol):
    """Something that hears sections, each of them as if nothing had come before."""

    def hear(self, samples: FloatArray) -> Heard:
        """(n,) float32, 16 kHz mono, n > 0 -> its probabilities."""


class Scorer(Protocol):
    """A description of an ear, small enough to be sent to another process."""

    @property
    def name(self) -> str:
        """In tables."""

    @property
    def digest(self) -> str:
        """Changes with everything that it is made of, apart from its code."""

    def open(self) -> Ear:
        """The ear. Raises an OidoError if it cannot be used."""


def answers(samples: FloatArray, model: Model) -> list[Score]:
    """What a device answers to a recording, (n,) float32, 16 kHz mono, from its beginning to its end.

    Raises:
        ModelError: the device cannot use this model.
    """
    classifier = Classifier(model)
    cutter = PatchCutter(lambda: classifier.next_samples)
    # Chained lazily: what the next piece must be depends on the answers so far.
    return [classifier.answer(piece) for piece in itertools.chain(cutter.feed(samples), cutter.finish())]


def segment_ends(samples: int) -> list[int]:
    """Where the segments of a section end, in samples: every 9.6 s, and at its end."""
    ends = list(range(SEGMENT_SAMPLES, samples + 1, SEGMENT_SAMPLES))
    if not ends or ends[-1] < samples:
        ends.append(samples)
    return ends


@dataclass(frozen=True, slots=True)
class DeviceModel:
    """A model as the device hears with it."""

    name: str
    reference: str
    """Its name, or the path of its sidecar: what `load_model` takes."""
    digest: str

    @classmethod
    def of(cls, reference: str, *, name: str | None = None) -> "DeviceModel":
        """Describe a model, under its own name or another.

        Raises:
            ModelError: it cannot be loaded.
        """
        sidecar = load_model(reference).sidecar
        # Metrics and thresholds may be written without a change to what the model says.
        stated = {key: sidecar.document.get(key) for key in ("sha256", "kind", "input", "output", "calibration")}
        digest = hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()
        return cls(name or sidecar.name, reference, digest)

    def open(self) -> Ear:
        """Load the model. Raises a ModelError if that fails."""
        return _DeviceEar(load_model(self.reference))


@dataclass(frozen=True, slots=True)
class _DeviceEar:
    model: Model

    def hear(self, samples: FloatArray) -> Heard:
        """A segment is the answer that was given nearest to its end."""
        scores = answers(samples, self.model)
        probability = np.array([score.probability for score in scores], np.float32)
        given_at = np.array([score.heard for score in scores])
        nearest = [int(np.argmin(np.abs(given_at - end))) for end in segment_ends(samples.size)]
        return Heard(probability, probability[nearest])
