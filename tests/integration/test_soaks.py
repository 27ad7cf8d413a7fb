"""The soaks in short, and that one that fails ends."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from broker import Mosquitto
from pulse import Pulse
from waiting import DEADLINE_S

pytestmark = [pytest.mark.integration, pytest.mark.soak]

SOAKS = Path(__file__).parents[1] / "soak"

BROKEN_BROKER = f"""#!{sys.executable}
import socket, sys, time
port = next(line.split()[1] for line in open(sys.argv[2]) if line.startswith("listener"))
with socket.socket() as listener:
    listener.bind(("127.0.0.1", int(port)))
    listener.listen(0)
    time.sleep(600)
"""
"""A mosquitto that can be connected to once, which shows that it listens, and answers nobody."""

POWER = """
import sys
from pathlib import Path
from soak.power import soak_power
soak_power(Path(sys.argv[1]), rounds=1, seed=1, show=print)
"""


@pytest.mark.parametrize(
    "words",
    [
        ("endurance.py", "--hours", "2"),
        ("source_loss.py", "--times", "1", "--loss-s", str(DEADLINE_S), "--recovery-s", str(DEADLINE_S)),
        ("truth.py", "--kills", "10", "--stops", "1", "--restarts", "1"),
        ("steady.py", "--seconds", "5", "--warm-up", "3", "--percent", "100"),
        ("signals.py", "--starts", "10", "--signals", "10000", "--within-s", str(DEADLINE_S)),
    ],
    ids=lambda words: words[0],
)
def test_the_soaks_pass_in_short(words: tuple[str, ...], pulse: Pulse, mosquitto: Mosquitto) -> None:
    """The commands behind the figures in the documents run, and their verdict is good; no time is judged here."""
    del pulse, mosquitto  # only so that it is skipped where they are missing
    command = [sys.executable, str(SOAKS / words[0]), *words[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("endurance.py", "--hours", "2"),
        ("source_loss.py", "--times", "1"),
        ("steady.py",),
        ("truth.py",),
        ("lean.py", "--times", "1"),
        ("outbox.py", "kills", "--pairs", "1000"),
        ("outbox.py", "away", "--pairs", "1"),
        ("fleet.py", "--devices", "2"),
    ],
    ids=" ".join,
)
def test_a_soak_that_fails_ends(
    words: tuple[str, ...], tmp_path: Path, pulse: Pulse, mosquitto: Mosquitto
) -> None:
    """With exit code 1 and all its children: here the broker is none, and the daemon finds no runtime."""
    del pulse, mosquitto  # only so that it is skipped where they are missing
    program = tmp_path / "mosquitto"
    program.write_text(BROKEN_BROKER)
    program.chmod(0o755)
    (tmp_path / "ai_edge_litert.py").write_text("raise ImportError('not here')\n")
    (tmp_path / "tflite_runtime.py").write_text("raise ImportError('not here')\n")
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(tmp_path)}
    ends_with_its_children([str(SOAKS / words[0]), *words[1:]], environment)


def test_a_failed_loss_of_power_ends(tmp_path: Path) -> None:
    """While the child that writes is frozen: its files cannot be copied."""
    (tmp_path / "copy").touch()
    environment = os.environ | {"PYTHONPATH": f"{SOAKS.parent}:{SOAKS.parents[1]}"}
    ends_with_its_children(["-c", POWER, str(tmp_path)], environment)


def ends_with_its_children(words: list[str], environment: dict[str, str]) -> None:
    """Exit code 1; whoever is left would hold the pipe of its output, or be in its process group."""
    with subprocess.Popen(
        [sys.executable, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=4 * DEADLINE_S)
            assert process.returncode == 1, said
            with pytest.raises(ProcessLookupError):
                os.killpg(process.pid, 0)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
