"""Runs TFLite files in one runtime: a program for any Python that has one.

`export.convert.other_python` starts it, also in other environments. Those may have nothing but numpy and the
runtime, so it imports nothing of the project.

    python -I tflite_probe.py answers MODEL.tflite STEPS.npy ANSWERS.npz

writes down every output. STEPS.npy holds the inputs as the model stores them, (n, ...). ANSWERS.npz gets an array
for each output, by the tensor's name, one row an input; `runtime`; and `latency_ms`, the median of one pass.

    python -I tflite_probe.py race ROUNDS MODEL.tflite...

runs files in turn and prints one JSON object: `runtime`; `ms`, the median of a pass of each; `ratio`, the median
of what its pass took beside the first one's in the same round. On a busy machine only the ratios say much.
"""

import importlib
import importlib.util
import json
import statistics
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np

RUNTIMES = {"ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
"""The better one first, as the device chooses."""

WARM_UP = 10


def main() -> None:
    """Run it."""
    name = next((name for name, module in RUNTIMES.items() if importlib.util.find_spec(module)), None)
    if name is None:
        sys.exit(f"{sys.executable} has no TFLite runtime: install {' or '.join(RUNTIMES)} there")
    interpreter = importlib.import_module(f"{RUNTIMES[name]}.interpreter").Interpreter
    tasks: dict[str, Any] = {"answers": _answers, "race": _race}
    tasks[sys.argv[1]](interpreter, f"{name} {version(name)}", *sys.argv[2:])


def _answers(interpreter_type: Any, runtime: str, model: str, steps_path: str, answers_path: str) -> None:
    interpreter = _opened(interpreter_type, model)
    source, outputs = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()
    answers: dict[str, list[Any]] = {output["name"]: [] for output in outputs}
    durations_s = []
    for row in np.load(steps_path):
        interpreter.set_tensor(source, row[None])
        durations_s.append(_pass_s(interpreter))
        for output in outputs:
            answers[output["name"]].append(interpreter.get_tensor(output["index"])[0])
    arrays: dict[str, Any] = {tensor: np.stack(rows) for tensor, rows in answers.items()}
    np.savez(answers_path, runtime=runtime, latency_ms=1000 * float(np.median(durations_s)), **arrays)


def _race(interpreter_type: Any, runtime: str, rounds: str, *models: str) -> None:
    interpreters = [_opened(interpreter_type, model) for model in models]
    for interpreter in interpreters:  # what each hears stays from pass to pass
        source = interpreter.get_input_details()[0]
        noise = np.random.default_rng(1).uniform(-0.5, 0.5, source["shape"])
        dtype = np.dtype(source["dtype"])
        interpreter.set_tensor(source["index"], (noise * (100 if dtype.kind == "i" else 1)).astype(dtype))
    took_s = np.array([list(map(_pass_s, interpreters)) for _ in range(WARM_UP + int(rounds))])[WARM_UP:].T
    ratios = [statistics.median((taken / took_s[0]).tolist()) for taken in took_s]
    medians_ms = [1000 * statistics.median(taken.tolist()) for taken in took_s]
    print(json.dumps({"runtime": runtime, "ms": medians_ms, "ratio": ratios}))


def _opened(interpreter_type: Any, model: str) -> Any:
    interpreter = interpreter_type(model, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def _pass_s(interpreter: Any) -> float:
    began = time.perf_counter()
    interpreter.invoke()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
