"""systemd/oido.service: systemd itself finds nothing wrong with it, and what it forbids is not needed."""

import ctypes
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pulse import Pulse
from waiting import DEADLINE_S

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd" / "oido.service"
THRESHOLD = 20
"""Tenths of `systemd-analyze security`'s exposure level."""

REFUSE_EXEC_GAIN = """
import ctypes, runpy, sys
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
assert ctypes.CDLL(None).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0
runpy.run_module("device", run_name="__main__", alter_sys=True)
"""
"""What MemoryDenyWriteExecute=yes asks of the kernel (6.3 and later; before, systemd filters system calls)."""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit as it would be installed, with a program that is here in place of /opt/oido/bin/oido."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (apt install systemd)")
    text = UNIT.read_text(encoding="utf-8")
    unit = tmp_path / "oido.service"
    unit.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", text), encoding="utf-8")
    return unit


def analyze(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """What systemd-analyze says."""
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_systemd_has_nothing_to_say(installed: Path) -> None:
    """`verify` exits 0 on a misspelt key, so it must print nothing."""
    done = analyze("verify", str(installed))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_would_say_something(installed: Path) -> None:
    """Of a misspelt key: the test above can fail."""
    installed.write_text(installed.read_text(encoding="utf-8").replace("WatchdogSec", "WatchdogSecs"))
    assert "WatchdogSecs" in analyze("verify", str(installed)).stderr


def test_the_service_is_locked_in(installed: Path) -> None:
    """Exposure at most 2.0 of 10."""
    done = analyze("security", "--offline=true", f"--threshold={THRESHOLD}", str(installed))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_microphone_is_heard_without_writable_code(pulse: Pulse) -> None:
    """Under MemoryDenyWriteExecute: PortAudio, soxr, numpy and the model's runtime."""
    if ctypes.CDLL(None).prctl(66, 0, 0, 0, 0) < 0:  # PR_GET_MDWE
        pytest.skip("this kernel has no PR_SET_MDWE (Linux 6.3)")
    process = subprocess.Popen(
        [sys.executable, "-c", REFUSE_EXEC_GAIN, "run"],
        cwd=ROOT,
        env=pulse.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                told = json.loads(line)
                if told["topic"].endswith("/availability") and told["payload"] == "online":
                    break
            else:
                pytest.fail("nothing was heard")
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
            assert process.wait(DEADLINE_S) == 0
        finally:
            process.kill()
