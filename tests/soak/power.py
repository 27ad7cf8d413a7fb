"""The power is lost while an outbox is written, again and again; a part of outbox.py.

A child adds and acknowledges as fast as it can, and tells after each step. At a random moment it is frozen in
whatever it does, and the files are copied as they stand (half of the copies with a torn write at the end of the
log): what a disk would hold if the power went then. Later it is killed. Copy and original must both hold, in
order, exactly what the steps that were told had left, or one step more.
"""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from device.publishing.message import Message
from device.publishing.outbox import Outbox
from device.storage.sqlite_outbox import SqliteOutbox

LIMIT = 40
"""Events kept: few, so that dropping the oldest is under fire too."""


def steps(outbox: Outbox, seed: int, *, added: int) -> Iterator[int]:
    """Add and acknowledge without end, as the seed draws; yields how many were ever added, after each step."""
    draw = random.Random(seed)  # noqa: S311 - a soak that can be repeated
    while True:
        keys = [key for key, _ in outbox.pending()]
        # In waves: outages that fill the outbox, and sessions that empty it.
        if keys and draw.random() < (0.8 if added // 60 % 2 else 0.2):
            outbox.acknowledge(keys[0] if draw.random() < 0.9 else draw.choice(keys))
        else:
            outbox.add(event(added))
            added += 1
        yield added


def event(number: int) -> Message:
    """The `number`th event."""
    return Message(
        "oido/n/s/event", f'{{"number": {number}, "filler": "{"x" * (number % 900)}"}}', 1, False, False
    )


def waiting(outbox: Outbox) -> list[str]:
    """Payloads, in order."""
    return [message.payload for _, message in outbox.pending()]


def expected(before: list[str], seed: int, *, added: int, told: int) -> tuple[list[str], list[str], int]:
    """What waits after the steps that were told, and after one more; and how many were ever added then at most."""
    model = Outbox(LIMIT)
    for payload in before:
        model.add(Message("oido/n/s/event", payload, qos=1, retain=False, coalesce=False))
    walk = steps(model, seed, added=added)
    for _ in range(told):
        added = next(walk)
    known = waiting(model)
    added = next(walk)
    return known, waiting(model), added


def soak_power(directory: Path, *, rounds: int, seed: int, show: Callable[[str], None]) -> dict[str, float]:
    """Freeze, copy and kill so often; the process must have no other threads.

    Raises:
        AssertionError: something durable was lost, or out of order.
    """
    draw = random.Random(seed)  # noqa: S311 - a soak that can be repeated
    began, path = time.monotonic(), directory / "outbox.db"
    before, added, done, most = list[str](), 0, 0, 0
    for number in range(rounds):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _write_without_end(path, seed + number, added, writing)
        os.close(writing)
        os.set_blocking(reading, False)
        try:
            time.sleep(draw.uniform(0.001, 0.05))
            os.kill(child, signal.SIGSTOP)
            os.waitpid(child, os.WUNTRACED)
            told = _told(reading)
            copy = _copy(path, directory / "copy", draw)
            os.kill(child, signal.SIGCONT)
            _must_hold(copy, expected(before, seed + number, added=added, told=told), f"round {number}, the copy")
            time.sleep(draw.uniform(0, 0.02))
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        told += _told(reading)
        os.close(reading)
        outcome = expected(before, seed + number, added=added, told=told)
        before = _must_hold(path, outcome, f"round {number}")
        added, done, most = outcome[2], done + told, max(most, len(before))
        if number % 20 == 0:
            show(f"{number} of {rounds} losses of power, {done} steps")
    assert not list(directory.glob("*.damaged-*")), "a file was taken for damaged"
    took_s = round(time.monotonic() - began, 1)
    return {"power_losses": 2 * rounds, "steps": done, "most_waiting": most, "lost": 0, "took_s": took_s}


def _write_without_end(path: Path, seed: int, added: int, writing: int) -> None:
    """Body of the child."""
    try:
        outbox = SqliteOutbox(path, LIMIT)
        for _ in steps(outbox, seed, added=added):
            os.write(writing, b".")
    finally:
        os._exit(1)


def _told(reading: int) -> int:
    """How many steps were told since the last time."""
    total = 0
    try:
        while words := os.read(reading, 65536):
            total += len(words)
    except BlockingIOError:
        pass
    return total


def _copy(path: Path, folder: Path, draw: random.Random) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for suffix in ("", "-wal"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            shutil.copy(source, folder / source.name)
    log = folder / f"{path.name}-wal"
    if log.exists() and draw.random() < 0.5:
        with log.open("ab") as end:
            end.write(draw.randbytes(draw.randrange(9000)))
    return folder / path.name


def _must_hold(path: Path, outcome: tuple[list[str], list[str], int], where: str) -> list[str]:
    outbox = SqliteOutbox(path, LIMIT)
    found = waiting(outbox)
    outbox.close()
    assert found in outcome[:2], f"{where}: {len(found)} wait, {len(outcome[0])} should"
    return found
