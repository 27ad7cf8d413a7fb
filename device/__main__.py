"""`python -m device` is `oido`."""

import os
import sys


def main() -> int:
    """Entry point of the command `oido`."""
    # One thread is plenty for 64 mel bands, and OpenBLAS allots memory for every thread it might use. It reads
    # this when numpy is imported, so it must stand before any import that leads there.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from device.cli import main as command  # noqa: PLC0415 - see above
    from device.daemon.memory import keep_buffers  # noqa: PLC0415 - only for a process of our own

    keep_buffers()

    return command()


if __name__ == "__main__":
    sys.exit(main())
