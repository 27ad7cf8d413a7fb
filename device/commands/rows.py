"""What a command found, row after row, as JSON lines or as CSV."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TextIO

Row = Mapping[str, object]


def writer(stream: TextIO, header: Sequence[str], *, form: Literal["json", "csv"]) -> Callable[[Row], None]:
    """A function that writes a row as soon as it is called; the CSV's header is written at once.

    Args:
        stream: where to. What its encoding has no letters for is written with escapes: the name of a file may
            be any bytes.
        header: the keys of every row, in order.
        form: a JSON object a line, or CSV.
    """
    encoding = stream.encoding or "utf-8"

    def spelt(text: str) -> str:
        return text.encode(encoding, "backslashreplace").decode(encoding)

    def cell(value: object) -> object:
        return spelt(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else value

    def write_json(row: Row) -> None:
        text = json.dumps(row, ensure_ascii=False)
        stream.write((text if spelt(text) == text else json.dumps(row)) + "\n")
        stream.flush()

    def write_csv(row: Row) -> None:
        table.writerow(cell(row[key]) for key in header)
        stream.flush()

    if form == "json":
        return write_json
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(header)
    return write_csv
