"""`oido watch`: what the terminal shows."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fakes import FakeSource, blocks_of
from hearing_fakes import fake_model, noise

from device.cli import main
from device.commands.watch import line, show
from device.hearing.classifier import Classifier
from device.hearing.decision import Decision, Rules
from device.pipeline import Observation, listen
from device.sound import FloatArray

RULES = Rules(on=0.5, off=0.3, min_on_s=1.0, min_off_s=1.0)


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        """Always."""
        return True


def observed(sound: FloatArray, scores: list[float], flat_line_limit_s: float = 60.0) -> list[Observation]:
    """What the pipeline makes of a sound when the model says these probabilities."""
    source = FakeSource(blocks_of(sound), name="room")
    return list(
        listen(source, Classifier(fake_model(scores)), Decision(RULES), flat_line_limit_s=flat_line_limit_s)
    )


def test_elsewhere_each_answer_is_a_line() -> None:
    """Time, level, score and state; events stand between them."""
    stream = io.StringIO()
    show(iter(observed(noise(6.0), [0.9])), stream, on=0.5)
    lines = stream.getvalue().splitlines()
    assert any("music started" in each for each in lines)
    assert any("music stopped" in each for each in lines)
    assert "MUSIC" in lines[-2]
    assert "\x1b" not in stream.getvalue()


def test_on_a_terminal_one_line_rewrites_itself() -> None:
    """Only events end a line."""
    stream = Terminal()
    show(iter(observed(noise(6.0), [0.1])), stream, on=0.5)
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().count("\r\x1b[K") == len(observed(noise(6.0), [0.1])) - 1


@pytest.mark.parametrize("width", [5, 20, 40, 80, 120])
def test_a_line_fits_the_terminal(width: int) -> None:
    """What has no room is left out; state and score stay the longest."""
    loud = np.clip(noise(6.0) * 100, -1, 1).astype(np.float32)
    heard = [*observed(loud, [0.9]), *observed(np.zeros(64_000, np.float32), [0.1], flat_line_limit_s=0.5)]
    lines = [line(each, on=0.5, width=width) for each in heard]
    assert max(map(len, lines)) < width
    assert width < 20 or any("MUSIC" in each and "0.90" in each for each in lines)
    assert width < 80 or all("[" in each for each in lines)


def test_silence_and_a_flat_line_are_words() -> None:
    """Not minus infinity, and not a score of what was not heard."""
    deaf = observed(np.zeros(64_000, np.float32), [0.1], flat_line_limit_s=0.5)[-2]
    shown = line(deaf, on=0.5)
    assert "silence" in shown
    assert "cannot hear: flat line" in shown


def test_a_recording_is_watched_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command itself, with the bundled model: exit code 0."""
    path = tmp_path / "noise.wav"
    soundfile.write(path, noise(4.0), 16_000)
    assert main(["watch", "--input", str(path)]) == 0
    assert "no music" in capsys.readouterr().out


def test_a_source_that_is_not_configured(capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong use: the sentence lists those that are."""
    assert main(["watch", "--source", "attic"]) == 2
    assert "no such source is configured; there are microphone" in capsys.readouterr().err
