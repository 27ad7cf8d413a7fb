"""device.demo: a broker that does not come up, answer or end is one sentence, and never a program that hangs."""

import asyncio
import socket
import threading
from typing import Any

import pytest
from waiting import DEADLINE_S, free_port

from device.demo import Subscriber, embedded_broker
from device.errors import PublishError

LAST = ("oido/demo/status", "offline")


class FakeBroker:
    """Starts and ends, or hangs there, or fails."""

    def __init__(self, *, start: str = "", end: str = "") -> None:
        self._start, self._end = start, end

    def __call__(self, _configuration: dict[str, Any]) -> "FakeBroker":
        """Stands for the class."""
        return self

    async def start(self) -> None:
        """Come up, or not."""
        await self._do(self._start)

    async def shutdown(self) -> None:
        """End, or not."""
        await self._do(self._end)

    async def _do(self, what: str) -> None:
        if what == "hang":
            await asyncio.sleep(10 * DEADLINE_S)
        elif what:
            raise RuntimeError(what)


@pytest.mark.parametrize(("start", "why"), [("hang", "not within 0.05 s"), ("the port is taken", "port is taken")])
def test_a_broker_that_does_not_come_up_is_said(start: str, why: str) -> None:
    """Its thread has ended by then."""
    with pytest.raises(PublishError, match=f"broker did not start on port .*{why}"):  # noqa: SIM117 - one statement
        with embedded_broker(FakeBroker(start=start), patience_s=0.05):
            pytest.fail("it has not started")
    assert "broker" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("end", ["hang", "in a wrong state"])
def test_a_broker_that_does_not_end_holds_nobody(end: str) -> None:
    """What was shown is shown; the program ends."""
    with embedded_broker(FakeBroker(end=end)) as port:
        assert port


def test_a_broker_that_is_gone_is_said() -> None:
    """The subscriber connects to nobody."""
    with pytest.raises(PublishError, match="cannot be reached: Connection refused"):
        Subscriber(free_port(), wanted="oido/#", last=LAST)


def test_a_broker_that_does_not_answer_is_said() -> None:
    """It takes the connection, and that is all."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port: int = mute.getsockname()[1]
        with pytest.raises(PublishError, match=r"does not answer within 0\.1 s"):
            Subscriber(port, wanted="oido/#", last=LAST, patience_s=0.1)
