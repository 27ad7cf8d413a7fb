"""The picture of docs/home-assistant.md: card.yaml in a real Home Assistant that has heard music.

    python tests/homeassistant/picture.py ROOT VERSION OUT.png [--minutes 12]

ROOT is as for check.py. It needs chromium, and the library websockets.
"""

# ruff: noqa: E402 - a script: it finds the repository first

import argparse
import base64
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "integration")]

import yaml  # type: ignore[import-untyped]
from broker import Mosquitto
from house import CHECKOUT, Device, HomeAssistant, must
from waiting import free_port
from websockets.sync.client import connect
from websockets.sync.connection import Connection

CARD = CHECKOUT / "docs" / "homeassistant" / "card.yaml"
DASHBOARD = "oido-card"


def ask(connection: Connection, message: dict[str, Any]) -> dict[str, Any]:
    """Send a message with an id, and wait for its answer."""
    connection.send(json.dumps(message))
    while True:
        found: dict[str, Any] = json.loads(connection.recv(timeout=60))
        if found.get("id") == message["id"]:
            return found


def show_card(home: HomeAssistant) -> None:
    """Make the card the whole of the dashboard."""
    card = yaml.safe_load(CARD.read_text(encoding="utf-8"))
    for each in card["cards"]:
        if "hours_to_show" in each:
            each["hours_to_show"] = 0.5  # this device has not heard for longer
    config = {"views": [{"title": "oido", "path": "card", "cards": [card]}]}
    dashboard: dict[str, Any] = {"url_path": DASHBOARD, "title": "oido", "mode": "storage"}
    dashboard |= {"require_admin": False, "show_in_sidebar": True}
    with connect(f"ws://127.0.0.1:{home.port}/api/websocket", max_size=None) as connection:
        connection.recv()
        connection.send(json.dumps({"type": "auth", "access_token": home.token}))
        connection.recv()
        made = ask(connection, {"id": 1, "type": "lovelace/dashboards/create"} | dashboard)
        saved = ask(connection, {"id": 2, "type": "lovelace/config/save", "url_path": DASHBOARD, "config": config})
        if not (made["success"] and saved["success"]):
            raise RuntimeError(f"the card was not taken: {made}, {saved}")


def photograph(home: HomeAssistant, out: Path, folder: Path) -> None:
    """What a browser shows of the dashboard, logged in."""
    port, address = free_port(), f"http://127.0.0.1:{home.port}"
    program = shutil.which("chromium") or "chromium"
    browser = subprocess.Popen(
        [
            program,
            "--headless",
            "--no-sandbox",  # as root there is none
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            f"--remote-debugging-port={port}",
            "--remote-allow-origins=*",
            f"--user-data-dir={folder / 'profile'}",
            "--window-size=560,1000",
            "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        pages = f"http://127.0.0.1:{port}/json"

        def page() -> str | None:
            try:
                with urllib.request.urlopen(pages, timeout=5) as found:
                    listed = json.loads(found.read())
            except OSError:
                return None
            return next((each["webSocketDebuggerUrl"] for each in listed if each["type"] == "page"), None)

        must(lambda: page() is not None, "the browser answers")
        tokens = {"access_token": home.token, "token_type": "Bearer", "expires_in": 10**8, "hassUrl": address}
        tokens |= {"clientId": f"{address}/", "expires": 4 * 10**12, "refresh_token": "none"}
        script = f"localStorage.setItem('hassTokens', {json.dumps(json.dumps(tokens))});"
        script += "localStorage.setItem('dockedSidebar', '\"always_hidden\"');"
        with connect(page() or "", max_size=None) as connection:
            for number, (method, parameters) in enumerate(
                [
                    ("Page.enable", {}),
                    ("Page.addScriptToEvaluateOnNewDocument", {"source": script}),
                    ("Page.navigate", {"url": f"{address}/{DASHBOARD}/card"}),
                ]
            ):
                ask(connection, {"id": number + 1, "method": method, "params": parameters})
            time.sleep(40)  # it loads its parts one after another, and says nowhere that it is done
            shot = ask(connection, {"id": 9, "method": "Page.captureScreenshot", "params": {"format": "png"}})
        out.write_bytes(base64.b64decode(shot["result"]["data"]))
    finally:
        browser.kill()
        browser.wait()


def main() -> None:
    """Play to a device for some minutes, then take the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("version")
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=12.0)
    arguments = parser.parse_args()
    with ExitStack() as closing, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Mosquitto(folder)
        broker.start()
        closing.callback(broker.stop)
        home = HomeAssistant(
            arguments.root, arguments.version, broker_port=broker.port, automations="[]", folder="picture"
        )
        home.start()
        closing.callback(home.stop)
        device = Device(folder / "den", "den", broker_port=broker.port)
        device.start()
        closing.callback(device.close)
        show_card(home)
        until = time.time() + arguments.minutes * 60
        while time.time() < until:
            device.playing = "music" if device.playing == "speech" else "speech"
            time.sleep(min(100, max(until - time.time(), 1)))
        device.playing = "music"
        must(lambda: home.state("binary_sensor.den_room_music") == "on", "the music is heard")
        photograph(home, arguments.out, folder)


if __name__ == "__main__":
    main()
