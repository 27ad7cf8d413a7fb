"""Runs TFLite files in turn in one runtime and says how long a pass of each takes: a program, for any Python.

`export.yamnet.report` starts it, also in other environments. That may have nothing but numpy and the
runtime: for that reason this imports nothing of the project but the program beside it.

    python -I tflite_race.py ROUNDS MODEL.tflite...

It prints one JSON object: `runtime`; `ms`, the median of a pass of each; `ratio`, of each the median of what its
pass took beside the first one's in the same round. On a machine that does other things, only the ratios say much.
"""

import importlib
import importlib.util
import json
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

RUNTIMES = {"ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
"""The better one first, as the device chooses."""

WARM_UP = 10


def main() -> None:
    """Run them."""
    rounds, *models = sys.argv[1:]
    name = next((name for name, module in RUNTIMES.items() if importlib.util.find_spec(module)), None)
    if name is None:
        sys.exit(f"{sys.executable} has no TFLite runtime: install {' or '.join(RUNTIMES)} there")
    module = importlib.import_module(f"{RUNTIMES[name]}.interpreter")
    interpreters = [_opened(module, Path(model)) for model in models]
    took_s: list[list[float]] = [[] for _ in models]
    for turn in range(WARM_UP + int(rounds)):
        for interpreter, taken in zip(interpreters, took_s, strict=True):
            began = time.perf_counter()
            interpreter.invoke()
            if turn >= WARM_UP:
                taken.append(time.perf_counter() - began)
    ratios = [statistics.median(np.divide(taken, took_s[0]).tolist()) for taken in took_s]
    medians_ms = [1000 * statistics.median(taken) for taken in took_s]
    print(json.dumps({"runtime": f"{name} {version(name)}", "ms": medians_ms, "ratio": ratios}))


def _opened(module: Any, model: Path) -> Any:
    """A model that has something to hear: its input stays where it is from pass to pass."""
    interpreter = module.Interpreter(str(model), num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, source["shape"])
    dtype = np.dtype(source["dtype"])
    interpreter.set_tensor(source["index"], (noise * (100 if dtype.kind == "i" else 1)).astype(dtype))
    return interpreter


if __name__ == "__main__":
    main()
