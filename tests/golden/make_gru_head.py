"""Make `gru_head.npz` beside this file: a small GRU head in int8, segments, and what the network says of them.

The network learns from made-up segments, so that its state means something and errors of one step reach the next.
Run it only to make it anew, with TensorFlow and the program installed: python tests/golden/make_gru_head.py
"""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from segment_fakes import segments  # noqa: E402 - the path comes first: this is a program

from export.estimators.heads import gru_head  # noqa: E402 - the same
from export.estimators.network import Schedule  # noqa: E402 - the same

ROWS = 40


def main() -> None:
    """Learn, convert, write."""
    training, new = segments(packages=6, distance=0.7), segments(packages=6, distance=0.7, seed=1)
    head = training.fit(gru_head(units=(16,), schedule=Schedule(every_steps=20, folds=1, batch=8)))
    chosen = np.random.default_rng(1).choice(len(new.music), ROWS, replace=False)
    file = head.convert(training.sequences)
    np.savez_compressed(
        HERE / "gru_head.npz",
        model=np.frombuffer(file.content, np.uint8),
        output=file.output,
        segments=new.sequences[chosen],
        probability=head.probability(new.sequences[chosen]),
    )


if __name__ == "__main__":
    main()
