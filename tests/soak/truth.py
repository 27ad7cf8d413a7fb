"""Nobody is told of music that was not heard, whatever is killed, stopped or restarted. Exit code 1 if one is.

    python tests/soak/truth.py [--kills 200] [--stops 3] [--restarts 3] [--seed 1]

A real `oido run` hears music and says so at a real mosquitto; then

- `kills`: it is killed with SIGKILL in the middle of the music, and the next one starts without sound;
- `stops`: it is stopped with SIGSTOP until the broker has given it up; the music ends meanwhile; SIGCONT;
- `restarts`: the broker is killed, and the music ends before it is back, with its retained messages and without.

One subscriber listens all the time, and others come at moments that the seed draws. None may see `music ON` while
`status` and `availability` are `online`, before there is music again. After a restart of the broker, only what the
device says counts: nobody but the broker can help what a broker remembers until then.

Needs mosquitto, ffmpeg and what the tests need (pip install '.[dev]'). Prints figures as one JSON line.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "integration")]

import numpy as np  # noqa: E402 - the path comes first, as this is started as a program
import paho.mqtt.client as paho  # noqa: E402
from broker import Mosquitto, brokers  # noqa: E402
from paho.mqtt.enums import CallbackAPIVersion  # noqa: E402
from waiting import DEADLINE_S, eventually  # noqa: E402

from device.demo import AUDIO  # noqa: E402
from device.sound import SAMPLE_RATE  # noqa: E402
from device.sources.recording import Recording  # noqa: E402

STATUS, AVAILABILITY, MUSIC = "oido/den/status", "oido/den/room/availability", "oido/den/room/music"
KEEPALIVE_S = 5
"""The shortest that is allowed: after one and a half of it the broker gives a stopped device up."""

Figures = dict[str, float]


class Untrue(AssertionError):  # noqa: N818 - "untrue" is what was said
    """Somebody saw music that was not heard."""


class Audience:
    """Subscribers, and what they may take for true."""

    def __init__(self, port: int) -> None:
        self.music = False
        """Whether there is music to be heard, so that `ON` may be true."""
        self.strict = True
        """Whether every message counts. Otherwise only those by which the device itself says so, and not what the
        broker or a subscriber remembers."""
        self.untrue: list[str] = []
        self.messages = 0
        self._port = port
        self._seen: dict[str, str] = {}
        """By the subscriber that is there all the time."""
        self._clients = [self._subscriber(self._seen)]

    @property
    def hears(self) -> bool:
        """Whether the steady subscriber takes it that music is on."""
        return _claims_music(self._seen)

    def last(self, topic: str) -> str | None:
        """What the steady subscriber has seen last."""
        return self._seen.get(topic)

    def come(self) -> None:
        """One more subscriber."""
        self._clients.append(self._subscriber({}))

    def leave(self) -> None:
        """All but the first."""
        while len(self._clients) > 1:
            self._end(self._clients.pop())

    def close(self) -> None:
        """Everybody leaves."""
        self.leave()
        self._end(self._clients.pop())

    def _subscriber(self, seen: dict[str, str]) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.on_connect = lambda client, *_: client.subscribe("oido/#", qos=1)
        client.on_message = lambda _client, _data, message: self._take(seen, message)
        client.reconnect_delay_set(1, 1)
        with contextlib.suppress(OSError):  # the broker may be away: paho tries again
            client.connect("127.0.0.1", self._port)
        client.loop_start()
        return client

    def _take(self, seen: dict[str, str], message: paho.MQTTMessage) -> None:
        self.messages += 1
        seen[message.topic] = message.payload.decode()
        said = not message.retain and message.topic in (STATUS, AVAILABILITY, MUSIC)
        if _claims_music(seen) and not self.music and (self.strict or said):
            self.untrue.append(f"after {message.topic} {message.payload[:40]!r}, retained: {message.retain}")

    @staticmethod
    def _end(client: paho.Client) -> None:
        client.disconnect()
        client.loop_stop()


def _claims_music(seen: dict[str, str]) -> bool:
    return (seen.get(MUSIC), seen.get(STATUS), seen.get(AVAILABILITY)) == ("ON", "online", "online")


class Sound:
    """A stream at the pace of live sound, for everybody who connects: music, or the quiet of a room."""

    def __init__(self) -> None:
        self.music = False
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self._music, self._quiet = music(), quiet()
        threading.Thread(target=self._serve, name="sound", daemon=True).start()

    def __enter__(self) -> Self:
        """It plays already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take no more listeners."""
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._play, args=(line,), daemon=True).start()

    def _play(self, line: socket.socket) -> None:
        step = SAMPLE_RATE // 10 * 2
        with line, contextlib.suppress(OSError):
            line.sendall(_wav_header())
            due, at = time.monotonic(), 0
            while True:
                sound = self._music if self.music else self._quiet
                line.sendall(sound[at % (len(sound) - step) :][:step])
                at += step
                due += 0.1
                time.sleep(max(0.0, due - time.monotonic()))


def _wav_header() -> bytes:
    """Of a stream without an end: 16-bit mono."""
    form = struct.pack("<HHIIHH", 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16)
    return b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<I", len(form)) + form + b"data\xff\xff\xff\xff"


def music() -> bytes:
    """Bach, signed 16-bit at 16 kHz."""
    samples = np.concatenate([block.samples for block in Recording(AUDIO / "music.ogg", name="music").blocks()])
    return bytes((np.clip(samples, -1, 1) * 32767).astype("<i2"))


def quiet() -> bytes:
    """Ten seconds of a quiet room."""
    return bytes((np.random.default_rng(0).standard_normal(10 * SAMPLE_RATE) * 30).astype("<i2"))


@contextmanager
def device(folder: Path, port: int, source: str) -> "Iterator[subprocess.Popen[bytes]]":
    """A running `oido run`, killed at the end."""
    config = folder / "config.toml"
    config.write_text(
        f'[node]\nname = "den"\nstate_dir = "{folder / "state"}"\n[[source]]\nname = "room"\n{source}\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\nkeepalive_s = {KEEPALIVE_S}\n'
    )
    with (folder / "device.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "device", "run", "-c", str(config)],
            cwd=HERE.parents[1],
            env={**os.environ, "XDG_RUNTIME_DIR": str(folder / "run")},
            stdin=subprocess.PIPE,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()


def must(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that must happen.

    Raises:
        Untrue: it does not.
    """
    if not eventually(condition, deadline_s=2 * DEADLINE_S):
        raise Untrue(f"waited in vain: {what}")


def soak_kills(
    folder: Path, broker: Mosquitto, *, rounds: int, seed: int, show: Callable[[str], None] = lambda _: None
) -> Figures:
    """Kill the device in the middle of music, so often.

    Raises:
        Untrue: somebody saw music before there was any again.
    """
    draw = random.Random(seed)  # noqa: S311 - a soak that can be repeated
    audience, sound = Audience(broker.port), music()
    try:
        for number in range(rounds + 1):
            audience.music = False
            with device(folder, broker.port, 'kind = "stdin"') as process, _visits(audience, draw):
                must(lambda: audience.last(STATUS) == "online", "the device online")
                time.sleep(draw.uniform(0, 0.2))
                _must_be_true(audience, f"after kill {number}")
                audience.music = True
                assert process.stdin is not None
                process.stdin.write(sound)
                process.stdin.flush()
                must(lambda: audience.hears, "music")
                time.sleep(draw.uniform(0, 0.2))
                # Before the kill: from here on, nothing that is said is heard.
                process.kill()
            must(lambda: audience.last(STATUS) == "offline", "the last will")
            show(f"{number} of {rounds} kills, {audience.messages} messages")
    finally:
        audience.close()
    return {"kills": rounds, "messages": audience.messages}


def soak_stops(
    folder: Path, broker: Mosquitto, *, rounds: int, show: Callable[[str], None] = lambda _: None
) -> Figures:
    """Stop the device in the middle of music, and let it go on when the music is over, so often.

    Raises:
        Untrue: somebody saw music before there was any again.
    """
    audience = Audience(broker.port)
    with Sound() as sound, device(folder, broker.port, f'kind = "stream"\nurl = "{sound.url}"') as process:
        try:
            for number in range(rounds):
                sound.music = audience.music = True
                must(lambda: audience.hears, "music")
                process.send_signal(signal.SIGSTOP)
                must(lambda: audience.last(STATUS) == "offline", "the last will of a stopped device")
                sound.music = audience.music = False
                process.send_signal(signal.SIGCONT)
                must(lambda: audience.last(STATUS) == "online", "the device online again")
                must(lambda: audience.last(MUSIC) == "OFF", "the quiet to be heard")
                _must_be_true(audience, f"after stop {number}")
                show(f"{number + 1} of {rounds} stops")
        finally:
            audience.close()
    return {"stops": rounds}


def soak_restarts(
    folder: Path, broker: Mosquitto, *, rounds: int, show: Callable[[str], None] = lambda _: None
) -> Figures:
    """Kill the broker in the middle of music, and let it return when the music is over, so often.

    Raises:
        Untrue: the device said that there was music when there was none.
    """
    audience = Audience(broker.port)
    audience.strict = False
    with Sound() as sound, device(folder, broker.port, f'kind = "stream"\nurl = "{sound.url}"') as process:
        try:
            for number in range(rounds):
                sound.music = audience.music = True
                must(lambda: audience.hears, "music")
                time.sleep(1.5)  # so that the broker may have saved it
                broker.kill()
                sound.music = False
                if number % 2:  # stopped for a while: it has heard nothing of the end
                    process.send_signal(signal.SIGSTOP)
                time.sleep(8.0)
                audience.music = False
                process.send_signal(signal.SIGCONT)
                broker.start()
                must(lambda: audience.last(MUSIC) == "OFF" and audience.last(STATUS) == "online", "the quiet")
                _must_be_true(audience, f"after restart {number}")
                show(f"{number + 1} of {rounds} restarts")
        finally:
            audience.close()
    return {"restarts": rounds}


@contextmanager
def _visits(audience: Audience, draw: random.Random) -> Iterator[None]:
    """While a device starts, subscribers come at random moments, and leave again."""
    ended = threading.Event()
    naps = [draw.uniform(0, 0.5) for _ in range(6)]

    def come() -> None:
        for nap in naps:
            if ended.wait(nap):
                return
            audience.come()

    visitors = threading.Thread(target=come, name="visitors")
    visitors.start()
    try:
        yield
    finally:
        ended.set()
        visitors.join()
        audience.leave()


def _must_be_true(audience: Audience, when: str) -> None:
    if audience.untrue:
        raise Untrue(f"{when}: music that was not heard: {'; '.join(audience.untrue[:5])}")


def persistent(folder: Path) -> str:
    """Lines of a broker's configuration that let it remember what is retained."""
    return f"persistence true\npersistence_location {folder}/\nautosave_interval 1"


def _show(text: str) -> None:
    print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201 - a program for the terminal


def main() -> int:
    """Run everything; 0 if nobody was told anything false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--stops", type=int, default=3)
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="oido-soak-") as name, ExitStack() as stack:
        folder = Path(name)
        make = stack.enter_context(brokers(folder))
        try:
            figures |= soak_kills(folder, make(), rounds=arguments.kills, seed=arguments.seed, show=_show)
            figures |= soak_stops(folder, make(), rounds=arguments.stops, show=_show)
            for more in ("", persistent(folder)):
                soak_restarts(folder, make(more=more), rounds=arguments.restarts, show=_show)
        except AssertionError as untrue:
            print(f"\nFAILED: {untrue}", file=sys.stderr)  # noqa: T201 - the same
            return 1
    figures |= {"restarts": 2 * arguments.restarts, "untrue": 0, "took_s": round(time.monotonic() - began, 1)}
    print(file=sys.stderr)  # noqa: T201 - the same
    print(json.dumps(figures))  # noqa: T201 - the same
    return 0


if __name__ == "__main__":
    sys.exit(main())
