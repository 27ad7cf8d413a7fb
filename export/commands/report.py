"""`oido-export report`: one HTML page that says which model to run on which Raspberry Pi, and why.

The page needs nothing else: no server, no network, no script.
"""

import argparse
import datetime as dt
from pathlib import Path

import device
from export.errors import ExportError
from export.reporting.material import PLOTS, Material, bundled, read_benchmark, read_model
from export.reporting.page import page
from export.reporting.pictures import FIGURES, read_pictures
from export.reporting.rows import read_comparison
from export.whole_file import write_bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `report`."""
    option = parser.add_argument
    option(
        "--models",
        nargs="+",
        metavar="NAME",
        help="a model's name, or the path of its NAME.json (default: bundled)",
    )
    option(
        "--comparison",
        type=Path,
        default=Path("comparison"),
        metavar="FOLDER",
        help="what `oido-export compare` left (default: comparison; it need not be there)",
    )
    option(
        "--benchmark",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="what `oido benchmark --json` printed, one for each device",
    )
    option(
        "--plots",
        type=Path,
        default=FIGURES,
        metavar="FOLDER",
        help="what `oido-export evaluate --plots` drew of the models (default: the checkout's docs/figures)",
    )
    option("--out", type=Path, default=Path("report.html"), metavar="FILE", help="the page (default: report.html)")


def run(arguments: argparse.Namespace) -> int:
    """Read what there is, write the page, say where."""
    folder: Path = arguments.comparison
    material = Material(
        models=[read_model(name) for name in arguments.models or bundled()],
        benchmarks=[read_benchmark(path) for path in arguments.benchmark],
        comparison=read_comparison(folder),
        pictures=read_pictures(folder),
        plots=read_pictures(arguments.plots, *PLOTS),
        folder=str(folder),
    )
    today = dt.datetime.now(dt.UTC).date().isoformat()
    made = f"Made by `oido-export report` of oido {device.__version__} on {today}."
    out: Path = arguments.out
    try:
        out.parent.stat()  # a missing folder is a mistake in the path: none is made
        write_bytes(out, page(material, made=made).encode())
    except OSError as error:
        raise ExportError(f"--out {out}: cannot be written: {error.strerror}") from error
    print(f"wrote {out}")
    return 0
