"""Sets what was heard on ARM beside what was heard on x86: prints a report, writes it, and fails where it must.

Reads SUITE/results/{x86,CPU...}/ as `run` leaves them. It fails if a decision differs, if an ONNX model's score is
off by more than 1e-4 or an int8 network's by more than a step, if the runtimes did not recognise a processor or it
has other instructions than it should, or if a unit test failed.
"""

import argparse
import datetime as dt
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ONNX_TOLERANCE = 1e-4
STEPS_TOLERANCE = 1.01
"""A step, and what float32 makes of it."""

BOARDS = {"cortex-a53": "Zero 2 W", "cortex-a72": "Pi 4", "cortex-a76": "Pi 5"}
"""Whose processor it is."""

DOT_PRODUCT = {"cortex-a53": False, "cortex-a72": False, "cortex-a76": True}
"""Whether it has the dot-product and LSE instructions."""

INTRODUCTION = """\
One checkout ran on aarch64 under qemu and on x86-64: the two bundled recordings, a scene made of them{further}.

*Probability* compares answers of the whole chain: decoding, features, network, calibration. *Same input* gives a
network on ARM exactly the input it had on x86, so that only its kernels can differ; a step is that of the output,
1/256 for scores. *Decisions* are every answer against every mode's threshold, and the segments. Emulated
times say nothing about a board, so none are given."""

OURS = 3
"""Recordings that are always heard."""

PACKAGES = ("numpy", "onnxruntime", "ai-edge-litert", "soundfile", "soxr")


@dataclass(frozen=True, slots=True)
class World:
    """One machine's results."""

    name: str
    document: dict[str, Any]
    networks: dict[str, np.ndarray]
    classified: list[dict[str, Any]]
    folder: Path

    @classmethod
    def read(cls, folder: Path) -> "World":
        """Read what `scores.py` and `oido classify` left in a folder."""
        document = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
        with np.load(folder / "networks.npz") as stored:
            networks = dict(stored)
        lines = (folder / "classify.jsonl").read_text(encoding="utf-8").splitlines()
        return cls(folder.name, document, networks, [json.loads(line) for line in lines], folder)


@dataclass(frozen=True, slots=True)
class Difference:
    """A model on ARM against the same on x86."""

    model: str
    runtime: str
    answers: int
    probability: float
    """The largest difference between two answers."""
    steps: float | None
    """The largest difference of the network's scores on the same input, in quantisation steps; None: no int8."""
    same: float | None
    """The part of these that are equal."""
    embedding_steps: float | None
    decisions: bool
    """Whether all are equal: every answer against every threshold, and the segments."""

    @property
    def failure(self) -> str | None:
        """What must not be."""
        if not self.decisions:
            return f"{self.model}: a decision differs"
        if self.steps is None and self.probability > ONNX_TOLERANCE:
            return f"{self.model}: a score is off by {self.probability:.2g}"
        if self.steps is not None and self.steps > STEPS_TOLERANCE:
            return f"{self.model}: on the same input a score is off by {self.steps:.0f} steps"
        return None


def difference(x86: World, arm: World, place: int) -> Difference:
    """Of the model at that place."""
    here, there = x86.document["models"][place], arm.document["models"][place]
    if (here["name"], here["sha256"]) != (there["name"], there["sha256"]):
        raise SystemExit(f"{arm.folder}: other models than on x86; run all of it again")
    name = here["name"]
    ours, theirs = ([answer for heard in one["heard"] for answer in heard["answers"]] for one in (here, there))
    first, second = np.array(ours), np.array(theirs)
    decided = [
        np.concatenate([scores >= threshold for threshold in here["thresholds"].values()])
        for scores in (first, second)
    ]
    segments = [[heard["segments"] for heard in one["heard"]] for one in (here, there)]
    apart = [
        np.abs(x86.networks[f"{name}/output{output}"] - arm.networks[f"{name}/same{output}"]) / step
        for output, step in enumerate(here["steps"])
        if step
    ]
    return Difference(
        model=here["file"],
        runtime=there["runtime"],
        answers=first.size,
        probability=float(np.abs(first - second).max()),
        steps=float(apart[0].max()) if apart else None,
        same=float((apart[0] < 0.5).mean()) if apart else None,
        embedding_steps=float(apart[1].max()) if len(apart) > 1 else None,
        decisions=segments[0] == segments[1] and bool((decided[0] == decided[1]).all()),
    )


def classified_alike(x86: World, arm: World) -> bool:
    """Whether `oido classify` printed the same segments."""

    def said(world: World) -> list[dict[str, Any]]:
        return [
            {key: Path(value).name if key == "file" else value for key, value in line.items() if key != "score"}
            for line in world.classified
        ]

    return said(x86) == said(arm)


def recognised(arm: World) -> bool:
    """Whether the runtimes knew the processor; if not, XNNPACK did not run the networks, as it does on a board."""
    logs = [(arm.folder / f"{name}.log").read_text(encoding="utf-8") for name in ("scores", "classify")]
    return not any("cpuinfo" in log for log in logs)


def suite_report(folder: Path, failures: list[str]) -> Iterator[str]:
    """The report's lines on one suite."""
    results = folder / "results"
    x86 = World.read(results / "x86")
    arms = [World.read(results / name) for name in BOARDS]
    python, libc = arms[0].document["python"], arms[0].document["libc"]
    packages = ", ".join(f"{name} {arms[0].document['packages'][name]}" for name in PACKAGES)
    yield f"## Debian {folder.name}: Python {python}, {libc}"
    yield ""
    front_ends = sorted({world.document["front_end"] for world in (x86, *arms)})
    if front_ends != ["compiled"]:
        failures.append(
            f"{folder.name}: the front end was not compiled everywhere, but {' and '.join(front_ends)}"
        )
    yield (
        f"On both machines: {packages}, the front end {' and '.join(front_ends)}; "
        f"x86: Python {x86.document['python']}, {x86.document['libc']}."
    )
    yield ""
    yield (
        "| processor | model | answers | largest difference in probability | same input: equal to the step | "
        "same input: largest difference in steps | decisions |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for arm in arms:
        for place in range(len(x86.document["models"])):
            found = difference(x86, arm, place)
            yield row(arm.name, found)
            if found.failure:
                failures.append(f"{folder.name}, {arm.name}, {found.failure}")
    yield ""
    for arm in arms:
        yield from remarks(x86, arm, failures)
    yield tests_line((results / "pytest.log").read_text(encoding="utf-8"), failures)
    yield ""


def row(cpu: str, found: Difference) -> str:
    """One of the table."""
    steps = "-" if found.steps is None else f"{found.steps:.0f}"
    if found.embedding_steps is not None:
        steps += f" (embedding {found.embedding_steps:.0f})"
    same = "-" if found.same is None else f"{100 * found.same:.1f} %"
    cells = (
        f"{cpu} ({BOARDS[cpu]})",
        found.model,
        found.answers,
        f"{found.probability:.2g}",
        same,
        steps,
        "equal" if found.decisions else "**differ**",
    )
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def remarks(x86: World, arm: World, failures: list[str]) -> Iterator[str]:
    """What else is to be said of a processor."""
    there = json.loads((arm.folder / "instructions.json").read_text(encoding="utf-8"))
    wanted = {"asimd": True, "sdot": DOT_PRODUCT[arm.name], "ldadd": DOT_PRODUCT[arm.name]}
    has = [name for name, found in there.items() if found]
    lacks = [name for name, found in there.items() if not found]
    if there != wanted:
        failures.append(f"{arm.name}: the emulated processor has {', '.join(has)}, which is not that processor")
    alike = classified_alike(x86, arm)
    if not alike:
        failures.append(f"{arm.name}: `oido classify` prints other segments than on x86")
    if not recognised(arm):
        failures.append(f"{arm.name}: the runtimes did not recognise the processor: see {arm.folder}/scores.log")
    executed = f"executes {', '.join(has)}" + (f"; {', '.join(lacks)} end in SIGILL" if lacks else "")
    yield (
        f"- {arm.name}: {executed}. No illegal instruction in scores or `oido classify`, whose segments are "
        f"{'the same as' if alike else '**not those**'} on x86. The runtimes "
        f"{'recognised the processor' if recognised(arm) else 'did **not** recognise the processor'}."
    )


def tests_line(log: str, failures: list[str]) -> str:
    """What pytest ended with."""
    last = log.strip().splitlines()[-1]
    said = re.sub(r" in [\d.]+s.*", "", last).strip("= ")
    if "passed" not in said or "failed" in said or "error" in said:
        failures.append(f"unit tests: {said}")
    return (
        f"- Unit tests of hearing as cortex-a72: {said}. Deselected is the one that counts /proc/self/fd, as "
        "nothing is mounted in the root."
    )


def report(folders: Sequence[Path], tools: Sequence[str], failures: list[str]) -> Iterator[str]:
    """All of it."""
    yield "# oido on emulated 64-bit ARM"
    yield ""
    today = dt.datetime.now(tz=dt.UTC).date()
    yield f"Written by `bash tests/arm/run` on {today}: {', '.join(tools)}."
    further = len(World.read(folders[0] / "results" / "x86").document["models"][0]["heard"]) - OURS
    subset = f", and {further} recordings of the test split (`subset.py`)" if further else ""
    yield INTRODUCTION.format(further=subset)
    yield ""
    for folder in folders:
        yield from suite_report(folder, failures)


def main() -> int:
    """Write and print the report; 1 if something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tool", action="append", default=[])
    parser.add_argument("folders", type=Path, nargs="+")
    arguments = parser.parse_args()
    failures: list[str] = []
    text = "\n".join(report(arguments.folders, arguments.tool, failures)).rstrip() + "\n"
    arguments.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    for failure in failures:
        sys.stderr.write(f"tests/arm/run: {failure}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
