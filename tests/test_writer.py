"""device.daemon.writer: a slow disk holds no listener up, and nothing is lost or put out of order."""

import threading
import time

import pytest
from hearing_fakes import RecordingPublisher
from supervised import Hang, HangingPublisher
from waiting import DEADLINE_S, eventually

from device.daemon.writer import HANGS_S, MOST_WAITING, Writer
from device.publishing.message import Message, retained


def message(number: int) -> Message:
    """One of many."""
    return retained("oido/den/room/state", str(number))


class StartedPublisher(RecordingPublisher):
    """Remembers what had been published when it was started, and whether it is closed."""

    before = -1
    closed = False

    def start(self) -> None:
        """Remember."""
        self.before = len(self.messages)

    def close(self) -> None:
        """Remember."""
        self.closed = True


def test_messages_keep_their_order_and_close_waits_for_them() -> None:
    """Whatever waits is passed on before the publisher closes, and the thread has ended."""
    publisher = StartedPublisher()
    writer = Writer(publisher)
    writer.start()
    for number in range(5_000):
        writer.publish(message(number))
    writer.close()
    assert [each.payload for each in publisher.messages] == [str(number) for number in range(5_000)]
    assert publisher.closed
    assert eventually(lambda: "writer" not in [thread.name for thread in threading.enumerate()])


def test_what_is_published_before_the_start_is_there_at_the_start() -> None:
    """A session must not begin without the states."""
    publisher = StartedPublisher()
    writer = Writer(publisher)
    writer.publish(message(1))
    writer.start()
    assert publisher.before == 1
    writer.close()


def test_a_slow_disk_does_not_hold_up_who_publishes() -> None:
    """While one message hangs, others are taken; `hangs` says so when it is too long."""
    hang = Hang()
    publisher = HangingPublisher(hang, "1")
    writer = Writer(publisher)
    writer.start()
    for number in (1, 2, 3):
        writer.publish(message(number))
    assert hang.reached.wait(DEADLINE_S)
    assert not writer.flush(0.01)
    assert not writer.drain(0.01)
    now = time.monotonic()
    assert (writer.hangs(now), writer.hangs(now + HANGS_S + 1)) == (False, True)
    hang.release()
    assert writer.flush(DEADLINE_S)
    assert not writer.hangs(now + HANGS_S + 1)
    writer.close()
    assert [each.payload for each in publisher.messages] == ["1", "2", "3"]


def test_memory_is_bounded() -> None:
    """Who publishes more than may wait has to wait as well; nothing is dropped."""
    hang = Hang()
    publisher = HangingPublisher(hang, "x")
    writer = Writer(publisher)
    writer.start()
    writer.publish(retained("oido/den/room/state", "x"))
    assert hang.reached.wait(DEADLINE_S)
    for number in range(MOST_WAITING):
        writer.publish(message(number))
    late = threading.Thread(target=writer.publish, args=(message(MOST_WAITING),))
    late.start()
    late.join(0.05)
    assert late.is_alive()
    hang.release()
    late.join(DEADLINE_S)
    writer.close()
    assert [each.payload for each in publisher.messages][1:] == [str(n) for n in range(MOST_WAITING + 1)]


def test_a_disk_that_hangs_does_not_hold_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """What waits is given up with a warning."""
    hang = Hang()
    writer = Writer(HangingPublisher(hang, "1"), last_s=0.05)
    writer.start()
    writer.publish(message(1))
    assert hang.reached.wait(DEADLINE_S)
    writer.close()
    assert "1 message(s) are given up" in caplog.text
    hang.release()


def test_a_message_that_fails_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    """The next ones go on; the failure is logged."""

    def fail() -> None:
        raise RuntimeError("a bug")

    publisher = HangingPublisher(fail, "1")
    writer = Writer(publisher)
    writer.start()
    for number in (1, 2):
        writer.publish(message(number))
    assert writer.flush(DEADLINE_S)
    writer.close()
    assert [each.payload for each in publisher.messages] == ["2"]
    assert "a bug" in caplog.text
