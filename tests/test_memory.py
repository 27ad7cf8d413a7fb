"""device.daemon.memory: what is given back once the start is over, and that everything goes on."""

import subprocess
import sys
from pathlib import Path

import pytest

from device.daemon.memory import Settling, clean_code, release_startup_memory

SMAPS = """\
5581a0000000-5581a0010000 r--p 00000000 fe:00 260386                     /usr/bin/python3.11
Rss:                  64 kB
Anonymous:             0 kB
5581a0010000-5581a0090000 r-xp 00010000 fe:00 260386                     /usr/bin/python3.11
Rss:                 512 kB
Anonymous:             0 kB
5581a0090000-5581a00a0000 rw-p 00090000 fe:00 260386                     /usr/bin/python3.11
Anonymous:            64 kB
7f0000000000-7f0000010000 r-xp 00000000 fe:00 260387                     /usr/lib/a relocated one.so
Anonymous:             4 kB
7f0000020000-7f0000021000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
7f0000030000-7f0000032000 r-xp 00000000 00:00 0
Anonymous:             0 kB
7f0000040000-7f0000041000 rwxp 00000000 fe:00 260388                     /usr/lib/libjit.so
Anonymous:             0 kB
"""

PROGRAM = """
import re
import numpy as np
from device.daemon.memory import release_startup_memory

def code_kb():
    code = r"^[0-9a-f]+-[0-9a-f]+ r-xp .*\\n(?:\\S+: .*\\n)*?Rss: +(\\d+)"
    return sum(int(kb) for kb in re.findall(code, open("/proc/self/smaps").read(), re.MULTILINE))

sound = np.sin(np.arange(4096.0))
before, transformed = code_kb(), np.fft.rfft(sound)
release_startup_memory()
print(before, code_kb(), np.array_equal(np.fft.rfft(sound), transformed))
"""


def test_only_code_that_is_as_in_its_file_can_go() -> None:
    """Neither data, nor code that was written to, nor the kernel's own, nor what can still be written."""
    assert list(clean_code(SMAPS)) == [(0x5581A0010000, 0x5581A0090000)]


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="there is no /proc/self/smaps: not Linux")
def test_code_goes_and_comes_back() -> None:
    """At least half of it has gone, and what is needed is there again."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    )
    before_kb, after_kb, same = done.stdout.split()
    assert int(after_kb) < int(before_kb) / 2
    assert same == "True"


def test_nothing_happens_where_the_kernel_does_not_tell(tmp_path: Path) -> None:
    """As on macOS."""
    release_startup_memory(tmp_path / "smaps")


def test_it_waits_for_the_end_of_the_start_and_does_it_once() -> None:
    """And again when something else has been started."""
    now, gone = [0.0], list[float]()
    settling = Settling(after_s=15.0, clock=lambda: now[0], let_go=lambda: gone.append(now[0]))
    for second in range(60):
        now[0] = float(second)
        settling.look()
        if second == 30:
            settling.begin()
    assert gone == [15.0, 45.0]
