"""Makes docs/figures/watch.svg: what `oido watch` wrote to a terminal, as it wrote it.

    python docs/figures/watch.py [--pace live|fast]

The bundled speech, music and speech are heard by a real `oido watch` in a terminal of its own, at the pace of live
sound: 72 seconds. What stood on the screen is kept once a second and shown six times as fast, in a loop; where a
picture does not move, it is the screen while the music plays.
"""

# ruff: noqa: INP001, T201 - a script, in a folder of pictures; it prints

import argparse
import fcntl
import os
import pty
import re
import struct
import sys
import tempfile
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import soundfile

from device.demo import Scene
from device.sound import SAMPLE_RATE

ROWS, COLUMNS = 6, 100
FASTER = 6.0

EVERY_S = 1.0
"""Of sound, between pictures."""

FILE = "radio.flac"
TYPED = f"$ oido watch --input {FILE} --pace live"

CHARACTER, LINE, MARGIN, BAR = 8.43, 20, 18, 30
"""Of a picture, in pixels."""

STYLE = "text{font:14px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#d7e0e4;white-space:pre}"

_TIME = re.compile(r"(\d+):(\d\d):(\d\d\.\d)")


class Screen:
    """As much of a terminal as `oido watch` uses: lines, a carriage that returns, erasing up to a line's end."""

    def __init__(self) -> None:
        self.lines = [TYPED, ""]
        self._column = 0

    def write(self, text: str) -> None:
        """Take what a program writes."""
        for part in re.findall(r"\x1b\[K|\r|\n|[^\x1b\r\n]+", text):
            if part == "\n":
                self.lines.append("")
            elif part == "\r":
                self._column = 0
            elif part == "\x1b[K":
                self.lines[-1] = self.lines[-1][: self._column]
            else:
                before, after = self.lines[-1][: self._column], self.lines[-1][self._column + len(part) :]
                self.lines[-1] = f"{before:<{self._column}}{part}{after}"
                self._column += len(part)


@dataclass(frozen=True, slots=True)
class Frame:
    """A screen at a moment."""

    at_s: float
    """Of the sound."""
    lines: tuple[str, ...]


def frames(output: Iterator[str]) -> Iterator[Frame]:
    """The screen, once a second of sound.

    Args:
        output: of the program, in the pieces in which it came.
    """
    screen, due_s = Screen(), 0.0
    for piece in output:
        screen.write(piece)
        said = _TIME.match(screen.lines[-1])
        if said is not None:
            at_s = 3_600 * int(said[1]) + 60 * int(said[2]) + float(said[3])
            if at_s >= due_s:
                yield Frame(at_s, tuple(screen.lines))
                due_s = at_s + EVERY_S


def run(folder: Path, pace: str) -> Iterator[str]:
    """What a real `oido watch` writes to a real terminal."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        command = [sys.executable, "-m", "device", "watch", "--input", FILE, "--pace", pace]
        os.execve(command[0], command, {**os.environ, "PYTHONPATH": sys.path[0]})  # noqa: S606 - it is meant
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    try:
        while True:
            try:
                piece = os.read(terminal, 4_096)
            except OSError:  # Linux says so when the other side is gone
                return
            # Each answer is written at once; a read may find several.
            yield from re.split(r"(?=\r\x1b)", piece.decode())
    finally:
        os.close(terminal)
        os.waitpid(process, 0)


def draw(found: list[Frame]) -> str:
    """An SVG of them."""
    width, height = round(COLUMNS * CHARACTER + 2 * MARGIN), ROWS * LINE + 2 * MARGIN + BAR
    still = next((frame for frame in found if frame.lines[-1].rstrip().endswith("MUSIC")), found[-1])
    still = found[min(found.index(still) + 12, len(found) - 1)]
    last_s = found[-1].at_s + EVERY_S
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img"'
    parts = [
        f'{head} viewBox="0 0 {width} {height}" aria-label="oido watch in a terminal">',
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" rx="9" fill="#182329"/>',
        *(f'<circle cx="{MARGIN + 4 + 18 * index}" cy="20" r="5.5" fill="#3d4d55"/>' for index in range(3)),
    ]
    for frame, later in zip(found, [*found[1:], None], strict=True):
        until_s = last_s if later is None else later.at_s
        shown = "visible" if frame is still else "hidden"
        # The first lasts from the beginning: an animation has no picture before its first key time.
        begin, end = (0.0 if frame is found[0] else frame.at_s) / last_s, min(1.0, until_s / last_s)
        times, values = f"0;{begin:.4f};{end:.4f}", "hidden;visible;hidden"
        lines = "".join(
            f'<text x="{MARGIN}" y="{BAR + MARGIN + LINE * row + 6}" xml:space="preserve">{escape(line)}</text>'
            for row, line in enumerate(frame.lines[-ROWS:])
            if line
        )
        parts.append(
            f'<g visibility="{shown}"><animate attributeName="visibility" calcMode="discrete" '
            f'dur="{last_s / FASTER:.2f}s" repeatCount="indefinite" keyTimes="{times}" values="{values}"/>'
            f"{lines}</g>"
        )
    return "\n".join([*parts, "</svg>", ""])


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pace", choices=["live", "fast"], default="live")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("watch.svg"), metavar="SVG")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sound = np.concatenate([block.samples for block in Scene("scene", "fast").blocks()])
        soundfile.write(Path(folder) / FILE, sound, SAMPLE_RATE)
        found = list(frames(run(Path(folder), arguments.pace)))
    if not found:
        print("oido watch showed nothing", file=sys.stderr)
        return 1
    print("\n".join(found[-1].lines))
    arguments.out.write_text(draw(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
