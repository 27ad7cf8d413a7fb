"""`python -m export` is `oido-export`."""

import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the command `oido-export`."""
    # Work is spread over processes, one thread each. OpenBLAS reads this when numpy is first imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from export.cli import main as command  # noqa: PLC0415 - see above

    return command(argv)


if __name__ == "__main__":
    sys.exit(main())
