"""Fitted estimators, kept as model files: a second run fits nothing anew.

The figures of the comparison are those of these files, as a device would run them.
"""

import hashlib
import inspect
import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device.hearing.statistics.pooling import Standardisation
from export.embeddings.segments import Segments
from export.estimators import choosing
from export.estimators.base import Estimator, ModelFile, standardisation_document
from export.estimators.parity import parity
from export.evaluation.metrics import package_weights
from export.spread import spread
from export.whole_file import write_bytes

EXAMPLES = 200
"""Training rows on which a network's int8 ranges are measured."""

_INDIFFERENT = frozenset({"jobs"})
"""Fields that change the time and not the result."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What one estimator learnt from one extractor's segments."""

    file: ModelFile
    parameters: Mapping[str, Any]
    """Chosen hyperparameters, how good they were in cross-validation, `fit_s`, seconds to fit, and the fields of
    `Parity` as `parity_rows` and so on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fits:
    """Fits in a folder, by a digest of the data and the estimator."""

    folder: Path
    seed: int
    """Of the estimators."""

    def fit(self, estimator: Estimator, training: Segments, *, feature: str, checked: Segments) -> Fit:
        """Take it from the folder, or fit it on the training rows and keep it under the feature's name.

        The checked rows are for `parity`; nothing is chosen by them.

        Raises:
            ExportError: it cannot learn from these rows, cannot be converted, or a library is missing.
        """
        digest = self._digest(estimator, training, checked)
        path = self.folder / f"{feature}-{estimator.name}-{digest}.json"
        if path.exists():
            return _read(path)
        x, weight = training.read(estimator.reads), package_weights(training)
        begun_s = time.monotonic()
        fitted = estimator.fit(x, training.music, weight=weight, groups=training.package, seed=self.seed)
        fit_s = time.monotonic() - begun_s
        file = fitted.convert(x[spread(len(x), EXAMPLES)])
        found = parity(fitted, file, checked.read(estimator.reads))
        parameters = {
            **fitted.parameters,
            "fit_s": round(fit_s, 1),
            **{f"parity_{name}": value for name, value in asdict(found).items()},
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        _write(path, Fit(file, parameters))
        return _read(path)  # as a later run will see it

    def _digest(self, estimator: Estimator, training: Segments, checked: Segments) -> str:
        digest = hashlib.sha256("/".join((str(self.seed), *described(estimator))).encode())
        for array in (training.sequences, training.music, training.package, checked.sequences):
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)  # as it lies in memory: no copy
        return digest.hexdigest()[:16]


def described(value: Any) -> Iterator[str]:
    """Whatever decides what an estimator learns: its settings, and the source of the code that learns."""
    if is_dataclass(value):
        yield type(value).__qualname__
        yield _source(type(value))
        yield inspect.getsource(choosing)
        for field in fields(value):
            if field.name not in _INDIFFERENT:
                yield field.name
                yield from described(getattr(value, field.name))
    elif callable(value):
        yield value.__qualname__
        yield _source(value)
    else:
        yield repr(value)


def _source(value: Any) -> str:
    """Of the module in which a class or function stands."""
    return inspect.getsource(sys.modules[value.__module__])


def _write(path: Path, fit: Fit) -> None:
    file = fit.file
    document = {
        "suffix": file.suffix,
        "output": file.output,
        "labels": file.labels,
        "quantisation": file.quantisation,
        "standardisation": file.standardisation and standardisation_document(file.standardisation),
        "parameters": dict(fit.parameters),
    }
    write_bytes(path.with_suffix(file.suffix), file.content)
    write_bytes(path, json.dumps(document, indent=1).encode())


def _read(path: Path) -> Fit:
    document = json.loads(path.read_text(encoding="utf-8"))
    parameters, scaling = document.pop("parameters"), document.pop("standardisation")
    standardisation = None
    if scaling is not None:
        mean, scale = (np.array(scaling[key], np.float32) for key in ("mean", "scale"))
        standardisation = Standardisation(mean, scale, scaling["limit"])
    file = ModelFile(
        content=path.with_suffix(document["suffix"]).read_bytes(),
        labels=tuple(document.pop("labels")),
        standardisation=standardisation,
        **document,
    )
    return Fit(file, parameters)
