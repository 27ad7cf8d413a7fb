"""Listens to the default microphone and prints a JSON line a second: a child of test_real_microphone.py.

    python listener.py SECONDS STALL_S

Lines: {"devices": [...]}, {"level_dbfs": x, "frequency_hz": f, "wall_time": t}, {"lost": "why"},
{"error": "why"}, {"closed": true}.
After a loss it tries again, until it has heard SECONDS.
"""

import json
import math
import sys
import time

import numpy as np

from device.errors import SourceError, SourceLost
from device.sound import SAMPLE_RATE, FloatArray
from device.sources.microphone import Microphone
from device.sources.port_audio import port_audio


def tell(**line: object) -> None:
    """Print one line at once."""
    print(json.dumps(line), flush=True)  # noqa: T201 - the parent reads it


def describe(second: FloatArray, wall_time: float | None) -> None:
    """Level and dominant frequency of one second."""
    level_dbfs = 10 * math.log10(float(np.mean(second**2)) + 1e-12)
    spectrum = np.abs(np.fft.rfft(second * np.hanning(len(second))))
    tell(level_dbfs=level_dbfs, frequency_hz=int(np.argmax(spectrum)), wall_time=wall_time)


def main(seconds: int, stall_s: float) -> None:
    """Listen until so many seconds were heard."""
    tell(devices=[device.name for device in port_audio().input_devices()])
    microphone = Microphone("default", name="test", stall_s=stall_s)
    heard = 0
    while heard < seconds:
        pending: list[FloatArray] = []
        try:
            for block in microphone.blocks():
                pending.append(block.samples)
                if sum(map(len, pending)) == SAMPLE_RATE:
                    describe(np.concatenate(pending), block.wall_time)
                    pending.clear()
                    heard += 1
                if heard >= seconds:
                    break
        except SourceLost as error:
            tell(lost=str(error))
        except SourceError as error:
            tell(error=str(error))
        time.sleep(0.2)
    microphone.close()
    tell(closed=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
