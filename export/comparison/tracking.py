"""The runs of a comparison in MLflow: parameters, figures, pictures, model files; the table can be read back.

Where the runs are kept: MLFLOW_TRACKING_URI if it is set, otherwise files in a folder. MLflow's other variables
(user, password, token, MLFLOW_EXPERIMENT_NAME) are MLflow's own business and work as it documents them.
"""

import importlib
import json
import math
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from export.comparison.costs import Costs
from export.comparison.rows import Row
from export.errors import ExportError
from export.estimators.base import ModelFile
from export.evaluation.metrics import Figure, Report

EXPERIMENT = "oido-compare"

_COMPARISON, _ROW = "comparison", "row"

_ROW_FILE = "row.json"
"""A row as one artifact of its run: what is read back. Parameters and metrics are for MLflow's own pages."""

_LONGEST_PARAMETER = 6000
"""MLflow's own limit, in characters."""

_MOST_RUNS = 1000
"""Rows of one comparison; there are 35 at most."""


class Tracking:
    """A store of runs: for each row of a comparison one, and one for the whole.

    Args:
        folder: where the runs are kept as files if MLFLOW_TRACKING_URI is not set.

    Raises:
        ExportError: MLflow is not installed, or the store cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.uri = os.environ.get("MLFLOW_TRACKING_URI") or (folder.resolve() / "mlruns").as_uri()
        if self.uri.startswith("file:") or "://" not in self.uri:
            # MLflow 3 asks those who want plain files to say so; anything else would need a database.
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        self._mlflow = _imported("mlflow")
        self._entities = _imported("mlflow.entities")
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        with self._working():
            self._client = self._mlflow.tracking.MlflowClient(tracking_uri=self.uri)
            found = self._client.get_experiment_by_name(name)
            self._experiment = self._client.create_experiment(name) if found is None else found.experiment_id

    def row(self, comparison: str, number: int, row: Row, file: ModelFile) -> None:
        """Keep a row, the `number`th of the comparison of that name, and its model file."""
        tags = {
            "kind": _ROW,
            "comparison": comparison,
            "number": str(number),
            "feature": row.feature,
            "origin": row.origin,
            "head": row.head,
            "split": row.split,
        }
        with self._run(row.name, tags) as run, tempfile.TemporaryDirectory() as folder:
            now_ms = int(time.time() * 1000)
            parameters = {
                key: value if isinstance(value, str) else json.dumps(value)
                for key, value in row.parameters.items()
            }
            self._client.log_batch(
                run,
                metrics=[
                    self._entities.Metric(key, float(value), now_ms, 0)
                    for key, value in _metrics(row)
                    if math.isfinite(value)
                ],
                params=[
                    self._entities.Param(key, value[:_LONGEST_PARAMETER]) for key, value in parameters.items()
                ],
            )
            model = Path(folder) / f"{row.feature}-{row.head}{file.suffix}"
            model.write_bytes(file.content)
            self._client.log_artifact(run, str(model))
            self._client.log_dict(run, asdict(row), _ROW_FILE)

    def finish(
        self, comparison: str, *, sentences: Sequence[str], settings: Mapping[str, str], files: Sequence[Path]
    ) -> None:
        """Close a comparison, with the answers, settings, tables and pictures: only now `latest` finds it."""
        tags = {"kind": _COMPARISON, "comparison": comparison, "sentences": json.dumps(list(sentences))}
        with self._run(f"comparison {comparison}", tags) as run:
            self._client.log_batch(
                run, params=[self._entities.Param(key, str(value)) for key, value in settings.items()]
            )
            for path in files:
                self._client.log_artifact(run, str(path))

    def latest(self) -> tuple[list[Row], list[str]]:
        """The rows and sentences of the latest comparison that was finished, in the order they were made.

        Raises:
            ExportError: there is none.
        """
        with self._working():
            runs = self._search(f"tags.kind = '{_COMPARISON}'")
        if not runs:
            raise ExportError(f"{self.uri}: no comparison is kept there; `oido-export compare` makes one")
        tags = runs[0].data.tags
        with self._working():
            rows = self._search(f"tags.kind = '{_ROW}' and tags.comparison = '{tags['comparison']}'")
        try:
            rows.sort(key=lambda run: int(run.data.tags["number"]))
            return [self._row_of(run) for run in rows], json.loads(tags["sentences"])
        except (KeyError, TypeError, ValueError, ExportError) as error:
            raise ExportError(
                f"{self.uri}: comparison {tags['comparison']} lacks {error}; was it made by another release?"
            ) from error

    def _row_of(self, run: Any) -> Row:
        """The row that a run keeps."""
        with self._working(), tempfile.TemporaryDirectory() as folder:
            path = self._client.download_artifacts(run.info.run_id, _ROW_FILE, folder)
            document = json.loads(Path(path).read_text(encoding="utf-8"))
        costs = document.pop("costs")
        reports = document.pop("reports")
        return Row(
            **document,
            costs=None if costs is None else Costs(**costs),
            reports={sound: _report_of(found) for sound, found in reports.items()},
        )

    def _search(self, condition: str) -> list[Any]:
        """The newest first."""
        found = self._client.search_runs(
            [self._experiment],
            filter_string=f"{condition} and attributes.status = 'FINISHED'",
            order_by=["attributes.start_time DESC"],
            max_results=_MOST_RUNS,
        )
        return list(found)

    @contextmanager
    def _run(self, name: str, tags: Mapping[str, str]) -> Iterator[str]:
        with self._working():
            run = self._client.create_run(self._experiment, tags={"mlflow.runName": name, **tags}).info.run_id
            try:
                yield run
            except BaseException:
                self._client.set_terminated(run, "FAILED")
                raise
            self._client.set_terminated(run)

    @contextmanager
    def _working(self) -> Iterator[None]:
        try:
            yield
        except self._mlflow.exceptions.MlflowException as error:
            sentence = str(error).splitlines()[0]
            raise ExportError(
                f"{self.uri}: MLflow cannot use this store: {sentence}; "
                "check MLFLOW_TRACKING_URI, or use --no-tracking"
            ) from error


def _imported(name: str) -> Any:
    try:
        # By name: MLflow is for those who compare, and takes seconds.
        return importlib.import_module(name)
    except ImportError as error:
        raise ExportError(
            f"keeping runs needs MLflow: pip install 'oido[compare]', or use --no-tracking ({error})"
        ) from error


def _metrics(row: Row) -> Iterator[tuple[str, float]]:
    """`threshold`, `validation.f1`, `cost.peak_mb`, `clean.rows`, `clean.f1`, `clean.f1.low` and so on."""
    yield "threshold", row.threshold
    yield "validation.f1", row.validation_f1
    if row.costs is not None:
        for name, value in asdict(row.costs).items():
            yield f"cost.{name}", value
    for sound, found in row.reports.items():
        for name, count_or_figure in asdict(found).items():
            if isinstance(count_or_figure, dict):
                yield f"{sound}.{name}", count_or_figure["value"]
                yield f"{sound}.{name}.low", count_or_figure["low"]
                yield f"{sound}.{name}.high", count_or_figure["high"]
            else:
                yield f"{sound}.{name}", count_or_figure


def _report_of(document: Mapping[str, Any]) -> Report:
    values: dict[str, Any] = {
        name: Figure(**value) if isinstance(value, dict) else value for name, value in document.items()
    }
    return Report(**values)
