"""A section of sound becomes answers and segments, as a device with a model gives them.

An answer is what the device says each time it says something. A segment is 9.6 s, the unit of the published models
and of a person who marks a recording by ear: every full one of a section, and what is left at its end as another.
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
    """What was said of one section."""

    answers: FloatArray
    """(n,) probabilities of music, in order."""
    segments: FloatArray
    """(m,) one for each of `segment_ends`."""


class Ear(Protocol):
    """Something that hears sections, each of them as if nothing had come before."""

    def hear(self, samples: FloatArray) -> Heard:
        """(n,) float32, 16 kHz mono, n > 0 -> what it says."""
        ...


class Scorer(Protocol):
    """A description of an ear, small enough to be sent to another process."""

    @property
    def name(self) -> str:
        """As it stands in tables."""
        ...

    @property
    def digest(self) -> str:
        """Changes with whatever it is made of, its code apart."""
        ...

    def open(self) -> Ear:
        """Ready to hear.

        Raises:
            OidoError: it cannot be used.
        """
        ...


def answers(samples: FloatArray, model: Model) -> list[Score]:
    """What a device says of a recording, from the beginning to the end.

    Args:
        samples: (n,) float32, 16 kHz mono.
        model: of any kind that the device knows.

    Raises:
        ModelError: the device does not know how to hear with this model.
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
        spoken = {key: sidecar.document.get(key) for key in ("sha256", "kind", "input", "output", "calibration")}
        digest = hashlib.sha256(json.dumps(spoken, sort_keys=True).encode()).hexdigest()
        return cls(name or sidecar.name, reference, digest)

    def open(self) -> Ear:
        """Load the model.

        Raises:
            ModelError: it cannot be loaded.
        """
        return _DeviceEar(load_model(self.reference))


@dataclass(frozen=True, slots=True)
class _DeviceEar:
    model: Model

    def hear(self, samples: FloatArray) -> Heard:
        """A segment is the answer that was given nearest to its end."""
        scores = answers(samples, self.model)
        said = np.array([score.probability for score in scores], np.float32)
        given_at = np.array([score.heard for score in scores])
        nearest = [int(np.argmin(np.abs(given_at - end))) for end in segment_ends(samples.size)]
        return Heard(said, said[nearest])
