"""A headless Chromium that reaches no network but this machine, and a page in frames of several widths."""

import html
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import matplotlib.image
import numpy as np
import numpy.typing as npt

NAMES = ("chromium", "chromium-browser", "google-chrome")

_WAIT_S = 60.0

_MEASURE = """
addEventListener("load", () => {
  const overlaps = (one, other) => Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1
    && Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 3
  const found = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, view = frame.contentWindow, crowded = []
    for (const picture of page.querySelectorAll("svg")) {
      const words = [...picture.querySelectorAll("text")]
        .map(each => [each.textContent, each.getBoundingClientRect()])
      words.forEach(([one, here], at) => words.slice(at + 1).forEach(([other, there]) => {
        if (overlaps(here, there)) crowded.push(`${one} | ${other}`)
      }))
    }
    return {
      width: view.innerWidth,
      scroll_width: page.documentElement.scrollWidth,
      height: page.documentElement.scrollHeight,
      text: page.body.innerText.length,
      crowded,
      broken: [...page.images].filter(each => !each.naturalWidth).length,
      requests: view.performance.getEntriesByType("resource").map(each => each.name)
        .filter(name => !name.startsWith("data:")),
    }
  })
  document.body.replaceChildren()
  document.title = JSON.stringify(found)
})
"""


def chromium() -> str | None:
    """Where it is; None: nowhere."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Visited:
    """A server on this machine that notes what is asked of it."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        noted = self.paths

        class _Note(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                noted.append(self.path)
                self.send_error(404)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - so it is called there
                """Not to the terminal."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Note)
        self._thread = threading.Thread(target=self._server.serve_forever, name="visited")

    @property
    def address(self) -> str:
        """Of a picture there."""
        return f"http://127.0.0.1:{self._server.server_port}/a.png"

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@dataclass(frozen=True, slots=True)
class Browser:
    """Started anew for each question."""

    program: str
    folder: Path
    """For its profile, pages and pictures."""

    def measure(self, page: str, widths: list[int]) -> list[dict[str, Any]]:
        """What a page is like at each width, in CSS pixels."""
        dumped = self._run("--dump-dom", "--window-size=1600,1200", page=_framed(page, widths, script=_MEASURE))
        title = re.search(r"<title>(.*?)</title>", dumped, re.DOTALL)
        assert title is not None, dumped[-2000:]
        found: list[dict[str, Any]] = json.loads(html.unescape(title[1]))
        return found

    def picture(self, page: str, name: str, *, width: int, height: int, dark: bool) -> npt.NDArray[np.uint8]:
        """(height, width, 3): the upper part of a page."""
        path = self.folder / f"{name}.png"
        # No window is narrower than 500 pixels, a frame may be.
        size = f"--window-size={max(width, 500)},{height}"
        scheme = ["--force-dark-mode"] if dark else []
        self._run(f"--screenshot={path}", size, "--hide-scrollbars", *scheme, page=_framed(page, [width]))
        shown = matplotlib.image.imread(path)[:, :width, :3]
        return np.round(255 * shown).astype(np.uint8)

    def printed(self, page: str) -> bytes:
        """As PDF."""
        path = self.folder / "printed.pdf"
        self._run(f"--print-to-pdf={path}", page=page)
        return path.read_bytes()

    def _run(self, *options: str, page: str) -> str:
        path = self.folder / "page.html"
        path.write_text(page, encoding="utf-8")
        command = [
            self.program,
            "--headless",
            "--no-sandbox",  # as root there is none
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--force-device-scale-factor=1",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--no-first-run",
            "--disable-background-networking",
            f"--user-data-dir={self.folder / 'profile'}",
            *options,
            path.as_uri(),
        ]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_WAIT_S,
            check=True,
            env={**os.environ, "HOME": str(self.folder)},
        )
        return done.stdout


def _framed(page: str, widths: list[int], *, script: str = "") -> str:
    """The page itself, untouched, in frames side by side: its style sheet is asked about their widths."""
    frames = "".join(
        f'<iframe srcdoc="{html.escape(page)}" width="{width}" height="4000" style="border:0"></iframe>'
        for width in widths
    )
    style = "color-scheme:light dark;margin:0;white-space:nowrap"
    return f'<!doctype html><title></title><script>{script}</script><body style="{style}">{frames}</body>'
