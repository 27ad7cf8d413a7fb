"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[object], rows: Iterable[Sequence[object]], *, rule: str = " --- ") -> str:
    """A table of one line a row. Cells are shown as `str` has them; `rule` stands under each cell of the head."""
    first, *others = (f"| {' | '.join(map(str, line))} |" for line in (head, *rows))
    return "\n".join([first, "|".join(["", *[rule] * len(head), ""]), *others])
