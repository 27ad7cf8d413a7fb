"""`python -m device.benchmark` is `oido benchmark`."""

import sys

from device.cli import main

if __name__ == "__main__":
    sys.exit(main(["benchmark", *sys.argv[1:]]))
