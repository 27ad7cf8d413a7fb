"""Runs a TFLite file in one runtime and writes down every output: a program, for any Python that has one.

`export.convert.tflite_parity` starts it in another environment and compares. That may have nothing but numpy and
the runtime: for that reason this imports nothing of the project.

    python -I tflite_probe.py MODEL.tflite STEPS.npy ANSWERS.npz

STEPS.npy holds the inputs as the model stores them, (n, ...). ANSWERS.npz gets an array for each output, by the
tensor's name, with one row for each input; `runtime`; and `latency_ms`, the median of one pass.
"""

import importlib
import importlib.util
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np

RUNTIMES = {"ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
"""The better one first, as the device chooses."""


def main() -> None:
    """Run it."""
    model, steps_path, answers_path = sys.argv[1:]
    name = next((name for name, module in RUNTIMES.items() if importlib.util.find_spec(module)), None)
    if name is None:
        sys.exit(f"{sys.executable} has no TFLite runtime: install {' or '.join(RUNTIMES)} there")
    interpreter = importlib.import_module(f"{RUNTIMES[name]}.interpreter").Interpreter(model, num_threads=1)
    interpreter.allocate_tensors()
    source, outputs = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()
    answers: dict[str, list[Any]] = {output["name"]: [] for output in outputs}
    durations_s = []
    for row in np.load(steps_path):
        interpreter.set_tensor(source, row[None])
        began = time.perf_counter()
        interpreter.invoke()
        durations_s.append(time.perf_counter() - began)
        for output in outputs:
            answers[output["name"]].append(interpreter.get_tensor(output["index"])[0])
    arrays: dict[str, Any] = {tensor: np.stack(rows) for tensor, rows in answers.items()}
    latency_ms = 1000 * float(np.median(durations_s))
    np.savez(answers_path, runtime=f"{name} {version(name)}", latency_ms=latency_ms, **arrays)


if __name__ == "__main__":
    main()
