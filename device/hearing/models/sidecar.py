"""NAME.json, the description beside every model: read strictly, so that a wrong file is refused and not heard."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np

from device.errors import ModelError
from device.hearing.front_end.features import LOG_MEL
from device.sound import FloatArray

SCHEMA_VERSION = 1

MODES = ("balanced", "precision", "recall")

LONGEST_MINIMUM_S = 3_600.0
"""An hour: as `[decision]` allows."""

_CERTAIN = 1e-7
_LARGEST_LOGIT = 500.0
"""A damaged slope may be of any size; the exponential of this is still a number."""

CalibrationMethod = Literal["none", "platt", "temperature", "isotonic"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Takes the model's raw probability to one that means what it says."""

    method: CalibrationMethod = "none"
    slope: float = 1.0
    offset: float = 0.0
    """platt, temperature: sigmoid(slope * logit(p) + offset) (Platt 1999; Guo et al. 2017 with offset 0)."""
    raw: tuple[float, ...] = ()
    calibrated: tuple[float, ...] = ()
    """isotonic: points to interpolate between."""

    def __call__(self, probability: FloatArray) -> FloatArray:
        """Calibrated probabilities, the same shape as the raw ones."""
        if self.method == "none":
            return probability
        if self.method == "isotonic":
            return np.interp(probability, self.raw, self.calibrated).astype(np.float32)
        # float32 cannot hold 1 - 1e-9; the logit stays finite at both ends.
        clipped = np.clip(probability.astype(np.float64), _CERTAIN, 1 - _CERTAIN)
        logit = self.slope * np.log(clipped / (1 - clipped)) + self.offset
        return (1 / (1 + np.exp(-logit))).astype(np.float32)

    def of(self, probability: float) -> float:
        """One calibrated probability, ten times as fast as the way for arrays."""
        if self.method == "none":
            return probability
        if self.method == "isotonic":
            return float(np.interp(probability, self.raw, self.calibrated))
        clipped = min(max(probability, _CERTAIN), 1 - _CERTAIN)
        logit = self.slope * log_odds(clipped) + self.offset
        return sigmoid(min(max(logit, -_LARGEST_LOGIT), _LARGEST_LOGIT))


def log_odds(probability: float) -> float:
    """ln(p / (1 - p)) of a probability between 0 and 1, both excluded."""
    return math.log(probability / (1 - probability))


def sigmoid(logit: float) -> float:
    """The probability with these log odds, which are at most a few dozen."""
    return 1 / (1 + math.exp(-logit))


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What the device must know of a model before it trusts it."""

    name: str
    kind: str
    """What the model reads: see `device.hearing.models.inputs`."""
    file: str
    sha256: str
    input: Mapping[str, Any]
    """What this kind of model reads; only the front end's parameters are checked here."""
    output: str
    """Name of the output tensor that holds probabilities (n, 2), columns as `labels`; or (n, 1), music."""
    labels: tuple[str, ...]
    calibration: Calibration
    thresholds: Mapping[str, float]
    """Probability from which it is music, for each mode."""
    document: Mapping[str, Any]
    """The whole file, with what only people read: data, metrics, licence, commit."""
    min_on_s: float | None = None
    """How long music should last before the state turns ON; None: the model has no opinion."""
    min_off_s: float | None = None
    """How long it should be gone before the state turns OFF."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a sidecar.

        Raises:
            ModelError: it cannot be read, is of another schema, lacks something, or its model was trained on
                features that this program does not compute.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ModelError(f"{path}: cannot read the model's description: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{path}: the model's description is not valid JSON: {error}") from error
        try:
            return cls._parse(document, path)
        except KeyError as error:
            raise ModelError(f"{path}: the model's description lacks {error}") from error
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ModelError(f"{path}: the model's description is malformed: {error}") from error

    @classmethod
    def _parse(cls, document: Any, path: Path) -> Self:
        if not isinstance(document, dict):
            raise ModelError(f"{path}: the model's description must be a JSON object")
        version = document["schema_version"]
        if version != SCHEMA_VERSION:
            raise ModelError(
                f"{path}: schema version {version!r}, but this program reads version {SCHEMA_VERSION}; "
                "use a model and a program of the same release"
            )
        _check_front_end(document["input"]["front_end"], path)
        file = document["file"]
        if not isinstance(file, str) or Path(file).name != file or file in ("", "..") or "\0" in file:
            raise ModelError(f"{path}: 'file' must be a plain file name beside the description, not {file!r}")
        thresholds = {mode: float(document["thresholds"][mode]) for mode in MODES}
        for mode, value in thresholds.items():
            if not 0 < value < 1:
                raise ModelError(f"{path}: the threshold for {mode!r} is {value}, not between 0 and 1")
        minimums = {key: _minimum_s(value, key, path) for key, value in document.get("decision", {}).items()}
        output = document["output"]
        labels = tuple(str(label) for label in output["labels"])
        if "music" not in labels:
            raise ModelError(f"{path}: the labels are {', '.join(labels) or 'none'}; one must be 'music'")
        return cls(
            name=str(document["name"]),
            kind=str(document["kind"]),
            file=file,
            sha256=str(document["sha256"]).lower(),
            input=dict(document["input"]),
            output=str(output["name"]),
            labels=labels,
            calibration=_calibration(document["calibration"], path),
            thresholds=thresholds,
            document=document,
            **minimums,
        )


def _check_front_end(stated: Mapping[str, Any], path: Path) -> None:
    """The model's features must be the ones computed here, parameter by parameter."""
    ours = asdict(LOG_MEL)
    if set(stated) != set(ours):
        odd = ", ".join(sorted(set(stated) ^ set(ours)))
        raise ModelError(f"{path}: the front end's parameters do not match this program's: {odd}")
    for key, value in ours.items():
        if key != "log_offset" and stated[key] != value:
            raise ModelError(
                f"{path}: trained on features with {key} = {stated[key]!r}, but this program computes {value!r}"
            )


def _minimum_s(value: Any, key: str, path: Path) -> float:
    """One entry of `decision`."""
    if key not in ("min_on_s", "min_off_s"):
        raise ModelError(f"{path}: 'decision' holds {key!r}; this program knows 'min_on_s' and 'min_off_s'")
    if type(value) not in (int, float) or not 0 <= value <= LONGEST_MINIMUM_S:
        raise ModelError(
            f"{path}: 'decision' states {key} = {value!r}; it must be a number from 0 to {LONGEST_MINIMUM_S:g}"
        )
    return float(value)


def _calibration(document: Mapping[str, Any], path: Path) -> Calibration:
    method = document["method"]
    if method not in get_args(CalibrationMethod):
        raise ModelError(f"{path}: calibration method {method!r} is unknown to this program")
    parameters = document.get("parameters", {})
    calibration = Calibration(
        method=method,
        slope=float(parameters.get("slope", 1.0)),
        offset=float(parameters.get("offset", 0.0)),
        raw=tuple(float(value) for value in parameters.get("raw", ())),
        calibrated=tuple(float(value) for value in parameters.get("calibrated", ())),
    )
    numbers = (calibration.slope, calibration.offset, *calibration.raw, *calibration.calibrated)
    if not all(map(math.isfinite, numbers)):
        raise ModelError(f"{path}: the calibration holds a number that is not finite")
    raw, calibrated = calibration.raw, calibration.calibrated
    is_curve = len(raw) == len(calibrated) > 0 and all(
        np.diff((0, *row, 1)).min() >= 0 for row in (raw, calibrated)
    )
    if method == "isotonic" and not is_curve:
        raise ModelError(
            f"{path}: isotonic calibration needs as many 'raw' as 'calibrated' points, ascending within 0 to 1"
        )
    return calibration
