"""Wrong inputs by the hundred thousand: each must end in a result or in the right error; exit code 1 otherwise.

    python tests/soak/fuzz.py [--count 100000] [--seed 1] [--jobs 2] [--only KIND ...] [--failures DIR]
    python tests/soak/fuzz.py --replay FILE

Inputs are valid samples (the example configuration, example payloads, the bundled model and its sidecar, small
recordings of fifteen formats, an outbox, a history), damaged by mutation.py, and plain random bytes. fuzz_kinds.py
says what each kind is fed to, always the product's own entry, and what must come of it. A damaged model file gets
a sidecar that vouches for it, so that the runtime really reads it; the kind `tflite` needs
../shared/weights/yamnet.tflite and is left out, and said to be, where that is missing.

Inputs are fed in worker processes. One that is still busy with an input after --limit-s seconds is killed (a
hang), and one that dies (a crash in native code) is replaced; either is put down to the input it had. Every
failure is written to --failures, and --replay feeds such a file again, here, with its traceback.

The same seed gives the same inputs, except for serial numbers that the Ogg encoder draws. Progress goes to
standard error; figures are printed as one JSON line. Needs what the tests need (pip install '.[dev]').
"""

import argparse
import base64
import importlib.util
import json
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from soak.fuzz_kinds import Case, Kinds, make_samples  # noqa: E402 - the path comes first: this is a program

SHARES = {
    "config": 14,
    "environment": 6,
    "command": 20,
    "listener": 10,
    "sidecar": 9,
    "network": 5,
    "onnx": 9,
    "tflite": 1,
    "audio": 12,
    "classify": 3,
    "history": 4,
    "historydb": 3,
    "outbox": 4,
    "trial": 0,
}
"""Per cent of all inputs; what is slow gets fewer. `trial` is fed only when asked for: inputs that crash, hang and
fail on purpose, to see that the fuzzer notices."""

LIMIT_S = 20.0
"""An input that takes longer hangs: a thousand times the usual, so that a busy machine is no failure."""

_MOST_MEMORY = 6 << 30
"""Bytes of address space a worker may have: what a damaged file asks for must not take the machine along."""
_SILENT_S = 300.0
"""A worker that starts, or makes its next input, takes less."""
_WORKER_INPUTS = 20_000
"""After so many a worker is replaced."""

Work = tuple[str, int]
"""Kind and number of an input."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An input that was not taken as it should be."""

    kind: str
    number: int
    what: str
    file: Path | None


@dataclass(slots=True)
class Figures:
    """What came of all inputs."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    slowest: tuple[float, str, int] = (0.0, "", 0)
    failures: list[Failure] = field(default_factory=list)
    done: int = 0
    resident_mb: float = 0.0

    def count(self, kind: str, number: int, outcome: str, took_s: float) -> None:
        """One more input is through."""
        self.done += 1
        self.outcomes.setdefault(kind, Counter())[outcome] += 1
        self.slowest = max(self.slowest, (took_s, kind, number))


def plan(count: int, kinds: Mapping[str, float]) -> list[Work]:
    """Which inputs there will be, kinds evenly mixed."""
    whole = sum(kinds.values())
    works = [
        (kind, number) for kind, share in kinds.items() for number in range(max(1, round(count * share / whole)))
    ]
    random.Random(0).shuffle(works)  # noqa: S311 - the order is no secret
    return works


def make_case(kinds: Kinds, seed: int, work: Work) -> Case:
    """The input that the seed gives for a kind and number."""
    return kinds.make(work[0], random.Random(f"{seed}/{work[0]}/{work[1]}"))  # noqa: S311 - must be repeatable


def soak_fuzz(
    directory: Path,
    *,
    count: int,
    seed: int,
    jobs: int,
    failures: Path,
    show: Callable[[str], None],
    only: Sequence[str] = (),
    limit_s: float = LIMIT_S,
) -> Figures:
    """Feed so many inputs.

    Args:
        directory: for samples and for the workers.
        count: of all kinds together.
        seed: of the inputs.
        jobs: workers.
        failures: where inputs that fail are written to; made when one does.
        show: takes progress.
        only: these kinds; none: all that there are samples for.
        limit_s: an input that takes longer hangs.
    """
    samples = directory / "samples"
    make_samples(samples)
    kinds = {kind: share or 1 for kind, share in SHARES.items() if (kind in only if only else share)}
    if not (samples / "yamnet.tflite").exists():
        kinds.pop("tflite", None)
    if not (importlib.util.find_spec("ai_edge_litert") or importlib.util.find_spec("tflite_runtime")):
        kinds.pop("network", None)  # every one would be refused for the same reason
    works = plan(count, kinds)
    figures = Figures()
    workers = [
        _Worker(directory / f"worker{index}", samples, seed, works[index::jobs], limit_s, failures, figures)
        for index in range(jobs)
    ]
    shown = 0.0
    try:
        while busy := [worker for worker in workers if worker.look()]:
            wait([worker.connection for worker in busy], timeout=0.5)
            if time.monotonic() - shown > 1:
                shown = time.monotonic()
                show(f"{figures.done} of {len(works)} inputs, {len(figures.failures)} failures")
    finally:
        for worker in workers:
            worker.stop()
    return figures


class _Worker:
    """A process that feeds inputs, watched from here; replaced when it dies."""

    def __init__(
        self,
        folder: Path,
        samples: Path,
        seed: int,
        works: list[Work],
        limit_s: float,
        failures: Path,
        figures: Figures,
    ) -> None:
        self._folder, self._samples, self._seed = folder, samples, seed
        self._left = works
        self._limit_s, self._failures, self._figures = limit_s, failures, figures
        self._current: Work | None = None
        self._since = time.monotonic()
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe(duplex=False)
        batch = self._left[:_WORKER_INPUTS]
        arguments = (theirs, self._folder, self._samples, self._seed, batch)
        self._process = context.Process(target=_work, args=arguments, name="fuzz", daemon=True)
        self._process.start()
        theirs.close()
        self._current, self._since = None, time.monotonic()

    def look(self) -> bool:
        """Take what it has said; False when all its inputs are through."""
        try:
            while self._left and self.connection.poll():
                self._heard(self.connection.recv())
        except EOFError:
            self._ended()
        if self._current is not None and time.monotonic() - self._since > self._limit_s:
            self._process.kill()
            self._process.join()
            self._failed(self._current, f"hang: more than {self._limit_s:g} s", self._on_disk(self._current))
            self._replace()
        elif self._current is None and self._left and time.monotonic() - self._since > _SILENT_S:
            raise RuntimeError(f"a worker says nothing for {_SILENT_S:g} s, a mistake in the fuzzer")
        return bool(self._left)

    def _heard(self, said: tuple[Any, ...]) -> None:
        match said:
            case ("begin", work):
                self._current, self._since = work, time.monotonic()
            case ("end", outcome, took_s, resident_mb):
                assert self._current is not None
                self._figures.count(*self._current, outcome, took_s)
                self._figures.resident_mb = max(self._figures.resident_mb, resident_mb)
                self._through()
            case ("failed", case, what):
                assert self._current is not None
                self._failed(self._current, what, case)
                self._through()

    def _through(self) -> None:
        self._left.pop(0)
        self._current, self._since = None, time.monotonic()

    def _ended(self) -> None:
        self._process.join()
        if self._current is not None:
            what = f"crash: the process ended with exit code {self._process.exitcode}"
            self._failed(self._current, what, self._on_disk(self._current))
        elif self._process.exitcode:
            path = self._folder / "native.log"
            log = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
            raise RuntimeError(f"a worker ended between two inputs, a mistake in the fuzzer: {log[-3000:]}")
        self._replace()

    def _replace(self) -> None:
        self.connection.close()
        if self._current is not None:
            self._through()
        if self._left:
            self._start()

    def _on_disk(self, work: Work) -> Case:
        """The input as the worker left it behind, with the words that the seed gives again."""
        kinds = Kinds(self._samples, self._folder / "again")
        made = make_case(kinds, self._seed, work)
        kinds.close()
        found = {name: self._folder / "case" / name for name in made.files}
        files = {name: path.read_bytes() if path.exists() else made.files[name] for name, path in found.items()}
        return Case(work[0], files, made.words)

    def _failed(self, work: Work, what: str, case: Case) -> None:
        kind, number = work
        same = sum(1 for failure in self._figures.failures if failure.kind == kind)
        file = None
        if same < 200:  # a defect that every input meets must not fill the disk
            self._failures.mkdir(parents=True, exist_ok=True)
            file = self._failures / f"{kind}-{self._seed}-{number}.json"
            save(case, file, what)
        self._figures.count(kind, number, "FAILED", 0.0)
        self._figures.failures.append(Failure(kind, number, what, file))

    def stop(self) -> None:
        """End it if it still runs."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()


def _work(connection: Connection, folder: Path, samples: Path, seed: int, works: list[Work]) -> None:
    """Body of a worker."""
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _home(folder / "home")
    folder.joinpath("native.log").touch()
    log = os.open(folder / "native.log", os.O_WRONLY | os.O_TRUNC)
    for number in (1, 2):  # libraries write there whatever Python does
        os.dup2(log, number)
    kinds = Kinds(samples, folder / "case")
    for work in works:
        case = make_case(kinds, seed, work)
        connection.send(("begin", work))
        began = time.perf_counter()
        try:
            outcome = kinds.feed(case)
        except Exception:  # noqa: BLE001 - any at all is what is looked for
            connection.send(("failed", case, traceback.format_exc()))
        else:
            resident_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            connection.send(("end", outcome, time.perf_counter() - began, resident_mb))
    kinds.close()
    connection.close()
    os._exit(0)  # without waiting for anybody's threads


def _home(folder: Path) -> None:
    """Nothing of whoever runs this is read."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    for name in [name for name in os.environ if name.startswith(("OIDO_", "XDG_", "STATE_"))]:
        del os.environ[name]
    os.environ["HOME"] = str(folder)
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"


def save(case: Case, file: Path, what: str) -> None:
    """Keep an input for `--replay`."""
    files = {name: base64.b64encode(content).decode() for name, content in case.files.items()}
    document = {"kind": case.kind, "words": case.words, "what": what, "files": files}
    file.write_text(json.dumps(document, indent=1), encoding="utf-8")


def read(file: Path) -> Case:
    """An input that `save` kept."""
    document = json.loads(file.read_text(encoding="utf-8"))
    files = {name: base64.b64decode(content) for name, content in document["files"].items()}
    return Case(document["kind"], files, tuple(document["words"]))


def replay(directory: Path, file: Path) -> str:
    """Feed it again, in this process.

    Raises:
        Exception: whatever the product raises.
    """
    case = read(file)
    samples = directory / "samples"
    make_samples(samples)
    _home(directory / "home")
    kinds = Kinds(samples, directory / "case")
    try:
        return kinds.feed(case)
    finally:
        kinds.close()


def summary(figures: Figures, *, took_s: float) -> dict[str, Any]:
    """The figures, for one JSON line."""
    took, kind, number = figures.slowest
    return {
        "inputs": figures.done,
        "failures": len(figures.failures),
        "by_kind": {name: figures.outcomes[name].total() for name in sorted(figures.outcomes)},
        "outcomes": {name: dict(figures.outcomes[name].most_common()) for name in sorted(figures.outcomes)},
        "slowest": {"took_s": round(took, 3), "kind": kind, "number": number},
        "resident_mb_at_most": round(figures.resident_mb),
        "took_s": round(took_s, 1),
    }


def reasons(figures: Figures) -> Iterator[str]:
    """A line for each sort of failure, with one of its inputs."""
    sorts: dict[tuple[str, str], list[Failure]] = {}
    for failure in figures.failures:
        lines = failure.what.strip().splitlines()
        place = next((line.strip() for line in reversed(lines) if "/device/" in line), "")
        sorts.setdefault((failure.kind, f"{lines[-1][:160]} {place}"), []).append(failure)
    for (kind, what), found in sorted(sorts.items(), key=lambda each: -len(each[1])):
        yield f"{len(found)} x {kind}: {what} (replay: {found[0].file})"


def _show(text: str) -> None:
    print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201 - a program for the terminal


def main() -> int:
    """Fuzz; 0 if every input was taken as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--count", type=int, default=100_000, help="inputs of all kinds together (default: 100000)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="worker processes (default: 2)")
    parser.add_argument(
        "--only", nargs="+", choices=list(SHARES), default=[], metavar="KIND", help=", ".join(SHARES)
    )
    parser.add_argument("--limit-s", type=float, default=LIMIT_S, help="an input that takes longer hangs")
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"), metavar="DIR")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="feed one kept input again")
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="oido-fuzz-") as folder:
        if arguments.replay:
            print(replay(Path(folder), arguments.replay.resolve()))  # noqa: T201 - the same
            return 0
        figures = soak_fuzz(
            Path(folder),
            count=arguments.count,
            seed=arguments.seed,
            jobs=arguments.jobs,
            failures=arguments.failures.resolve(),
            show=_show,
            only=arguments.only,
            limit_s=arguments.limit_s,
        )
    print(file=sys.stderr)  # noqa: T201 - the same
    for reason in reasons(figures):
        print(f"FAILED: {reason}", file=sys.stderr)  # noqa: T201 - the same
    print(json.dumps(summary(figures, took_s=time.monotonic() - began)))  # noqa: T201 - the same
    return 1 if figures.failures else 0


if __name__ == "__main__":
    sys.exit(main())
