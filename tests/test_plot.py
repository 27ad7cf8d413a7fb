"""`oido classify --plot`: the picture says what the lines say, of a second as of a day."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hearing_fakes import noise, scene

from device.cli import main
from device.commands.plot import check, draw, save
from device.commands.timeline import Timeline, Trace, columns
from device.configuration.settings import DecisionConfig
from device.errors import OidoError, UsageError
from device.hearing.classifier import Classifier
from device.hearing.decision import Decision, Event, Music, Rules, Segment, Step
from device.hearing.models.loading import load_model
from device.hearing.rules import rules
from device.pipeline import listen
from device.sound import SAMPLE_RATE
from device.sources.recording import Recording

pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'oido[plot]'")

ROOT = Path(__file__).parents[1]
RULES = Rules(on=0.6, off=0.4, min_on_s=1.0, min_off_s=2.0)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 s, music in the middle."""
    path = tmp_path_factory.mktemp("recordings") / "scene.wav"
    soundfile.write(path, scene(36.0), SAMPLE_RATE)
    return path


def trace(*values: float) -> Trace:
    """A value each second."""
    found = Trace()
    for index, value in enumerate(values):
        found.add(index * SAMPLE_RATE, (index + 1) * SAMPLE_RATE, value)
    return found


def hours(count: int) -> Timeline:
    """Music for the first half of every ten minutes, a score each half second."""
    timeline = Timeline("long.flac", "attention", "balanced", {"on": RULES.on, "off": RULES.off})
    timeline.heard = count * 3_600 * SAMPLE_RATE
    half = SAMPLE_RATE // 2
    for index in range(count * 7_200):
        on = index % 1_200 < 600
        timeline.scores.add(index * half, (index + 1) * half, 0.9 if on else 0.1)
        timeline.levels_dbfs.add(index * half, (index + 1) * half, -20.0 if on else -math.inf)
    size = 300 * SAMPLE_RATE
    for start in range(0, timeline.heard, 2 * size):
        parts = (
            Segment(start, start + size, Music.ON, 0.9),
            Segment(start + size, start + 2 * size, Music.OFF, 0.1),
        )
        started = Event("music_started", start, None, 0.9, 0.9)
        stopped = Event("music_stopped", start, start + size, 0.9, 0.9)
        timeline.finish([Step((started, stopped), parts)])
    return timeline


def oido(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, lines, and what stands on standard error."""
    code = main(["classify", *map(str, words)])
    captured = capsys.readouterr()
    return code, [json.loads(line) for line in captured.out.splitlines()], captured.err


def heard(path: Path, rule: Rules = RULES) -> Timeline:
    """The timeline of a recording."""
    model = load_model("attention")
    timeline = Timeline(str(path), "attention", "balanced", {"on": rule.on, "off": rule.off})
    for observation in listen(Recording(path, name="file"), Classifier(model), Decision(rule)):
        timeline.note(observation)
        timeline.finish([observation.step])
    return timeline


def spans(axes: Any) -> list[tuple[float, float]]:
    """From where to where the rectangles in a picture go, in seconds."""
    return [(round(each.get_x(), 3), round(each.get_x() + each.get_width(), 3)) for each in axes.patches]


def test_the_states_drawn_are_the_lines_printed(capsys: pytest.CaptureFixture[str], recording: Path) -> None:
    """The same edges; what is shaded behind the score is the music."""
    code, lines, err = oido(capsys, recording, "--as-live", "--plot", recording.with_name("a.svg"))
    assert (code, err) == (0, "")
    assert len(lines) >= 2
    printed = [(line["onset"], line["offset"], line["label"]) for line in lines]
    # The rules of the command line, so that the timeline drawn here is the one drawn there.
    timeline = heard(recording, rules(DecisionConfig(), load_model("attention"), "balanced"))
    state, score, _ = draw([timeline]).axes
    assert spans(state) == [(onset, offset) for onset, offset, _ in printed]
    assert spans(score) == [(onset, offset) for onset, offset, label in printed if label == "music"]


def test_the_same_recording_gives_the_same_picture(capsys: pytest.CaptureFixture[str], recording: Path) -> None:
    """Byte for byte: no date, nothing random."""
    once, again = recording.with_name("once.svg"), recording.with_name("again.svg")
    for picture in (once, again):
        assert oido(capsys, recording, "--plot", picture)[0] == 0
    assert once.read_bytes() == again.read_bytes()


def test_the_thresholds_and_every_event_are_drawn(recording: Path) -> None:
    """Starts and stops where they are dated, which is where the states change."""
    timeline = heard(recording)
    state, score, _ = draw([timeline]).axes
    starts, stops = (np.asarray(line.get_xdata()).tolist() for line in state.lines[:2])
    assert starts == [event.started / SAMPLE_RATE for event in timeline.events if event.ended is None]
    assert stops == [event.ended / SAMPLE_RATE for event in timeline.events if event.ended is not None]
    assert len(starts) == len(stops) >= 1
    assert {0.6, 0.4} <= {np.asarray(line.get_ydata())[0] for line in score.lines}


def test_a_short_recording_is_drawn_as_it_was(recording: Path) -> None:
    """A point an answer, nothing thinned out; the axis ends where the recording does."""
    timeline = heard(recording)
    _, score, level = draw([timeline]).axes
    line = score.lines[0]
    assert list(np.asarray(line.get_ydata())) == list(timeline.scores.value)
    assert list(np.asarray(line.get_xdata())) == pytest.approx(list(timeline.scores.middle_s))
    assert level.get_xlim() == (0, 36.0)


def test_levels_are_those_of_the_sound(tmp_path: Path) -> None:
    """Noise at -30 dBFS."""
    soundfile.write(tmp_path / "noise.wav", noise(6.0, level_dbfs=-30), SAMPLE_RATE, subtype="FLOAT")
    timeline = heard(tmp_path / "noise.wav")
    assert list(timeline.levels_dbfs.value) == pytest.approx([-30.0] * len(timeline.levels_dbfs.value), abs=1.0)


def test_thinning_out_keeps_the_lowest_and_the_highest() -> None:
    """One answer among many is still to be seen; the mean is that of all of them."""
    values = [0.1] * 1_000
    values[503] = 1.0
    found = columns(trace(*values), seconds=1_000.0, count=10)
    assert found.width_s == 100.0
    assert found.high.tolist() == pytest.approx([0.1] * 5 + [1.0] + [0.1] * 4)
    assert found.low.tolist() == pytest.approx([0.1] * 10)
    assert found.mean[5] == pytest.approx(0.109)
    assert found.at_s.tolist() == [50.0 + 100 * index for index in range(10)]


def test_the_mean_of_levels_is_that_of_powers() -> None:
    """Half a column at 0 dBFS and half of silence is -3 dBFS; silence alone is silence."""
    found = columns(trace(*[0.0, -math.inf] * 10, *[-math.inf] * 20), seconds=40.0, count=2, decibels=True)
    assert found.mean.tolist() == pytest.approx([-3.01, -math.inf], abs=0.01)


def test_a_column_without_a_value_is_left_out() -> None:
    """Nothing is made up where nothing was heard."""
    found = Trace()
    for second in (0, 1, 2, 7, 8, 9):
        found.add(second * SAMPLE_RATE, (second + 1) * SAMPLE_RATE, 0.5)
    assert columns(found, seconds=10.0, count=5).at_s.tolist() == [1.0, 3.0, 7.0, 9.0]


def test_few_values_stay_as_they_are() -> None:
    """Each at its own time."""
    found = columns(trace(0.2, 0.4), seconds=2.0, count=2)
    assert (found.at_s.tolist(), found.width_s) == ([0.5, 1.5], None)
    assert found.mean is found.low is found.high


def test_ten_hours_are_thinned_out_and_say_so(tmp_path: Path) -> None:
    """No more points than pixels, every state, hours on the axis, and a file that can be sent."""
    timeline = hours(10)
    state, score, level = draw([timeline]).axes
    assert len(np.asarray(score.lines[0].get_xdata())) <= 1_100
    assert len(score.collections) == 1
    assert len(spans(state)) == 120
    assert "band: lowest to highest of each 33 s" in level.get_xlabel()
    assert [tick.get_text() for tick in level.get_xticklabels()][-1] == "10:00:00"
    save([timeline], tmp_path / "day.png")
    assert (tmp_path / "day.png").stat().st_size < 400_000


def test_several_recordings_stand_below_each_other(capsys: pytest.CaptureFixture[str], recording: Path) -> None:
    """Three axes each; two processes draw what one does."""
    quiet = recording.with_name("quiet.wav")
    soundfile.write(quiet, noise(5.0), SAMPLE_RATE)
    one, two = recording.with_name("one.png"), recording.with_name("two.png")
    assert oido(capsys, recording, quiet, "--summary", "--plot", one)[0] == 0
    done = subprocess.run(
        [sys.executable, "-m", "device", "classify", "--jobs", "2", recording, quiet, "--plot", two],
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert one.read_bytes() == two.read_bytes()
    assert len(draw([heard(recording), heard(quiet)]).axes) == 6


@pytest.mark.parametrize(("name", "begin"), [("a.png", b"\x89PNG"), ("a.PDF", b"%PDF"), ("a.svg", b"<?xml")])
def test_the_ending_says_which_format(name: str, begin: bytes, tmp_path: Path) -> None:
    """Nothing else is left in the folder."""
    save([hours(1)], tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(begin)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("samples", [160, 16_000])
def test_a_moment_can_be_drawn(samples: int, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """One answer, of a clip shorter than what the model hears at once."""
    soundfile.write(tmp_path / "clip.wav", noise(samples / SAMPLE_RATE), SAMPLE_RATE)
    code, lines, err = oido(capsys, tmp_path / "clip.wav", "--plot", tmp_path / "clip.png")
    assert (code, len(lines), err) == (0, 1, "")
    assert (tmp_path / "clip.png").stat().st_size > 1_000


def test_silence_can_be_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Its level has no number; it stands at the bottom of the axis."""
    soundfile.write(tmp_path / "silence.wav", np.zeros(5 * SAMPLE_RATE), SAMPLE_RATE)
    assert oido(capsys, tmp_path / "silence.wav", "--plot", tmp_path / "silence.svg")[::2] == (0, "")
    level = draw([heard(tmp_path / "silence.wav")]).axes[2]
    assert set(np.asarray(level.lines[0].get_ydata())) == {level.get_ylim()[0]}


def test_any_name_can_be_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Dollar signs are no formula, a line break breaks no line, letters without a picture are boxes."""
    path = tmp_path / "$a_{b}$\n耳.wav"
    soundfile.write(path, noise(2.0), SAMPLE_RATE)
    assert oido(capsys, path, "--plot", tmp_path / "a.svg")[::2] == (0, "")
    assert "$a_{b}$?耳.wav" in (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert oido(capsys, path, "--plot", tmp_path / "a.png")[::2] == (0, "")


def test_a_bad_file_is_left_out(capsys: pytest.CaptureFixture[str], recording: Path, tmp_path: Path) -> None:
    """It is named; where no file is good there is no picture."""
    (tmp_path / "bad.wav").write_text("no sound")
    code, lines, err = oido(capsys, tmp_path / "bad.wav", recording, "--plot", tmp_path / "a.png")
    assert (code, len(err.splitlines())) == (1, 1)
    assert len(lines) >= 2
    assert (tmp_path / "a.png").exists()
    assert oido(capsys, tmp_path / "bad.wav", "--plot", tmp_path / "b.png")[0] == 1
    assert not (tmp_path / "b.png").exists()


@pytest.mark.parametrize(
    ("path", "files", "sentence"),
    [
        ("a.gif", 1, r"^--plot a\.gif: a picture's name ends in \.png, \.svg or \.pdf$"),
        ("png", 1, r"^--plot png: a picture's name ends"),
        ("a.png", 9, r"^--plot: 9 files; at most 8 fit below each other in one picture$"),
        ("/nowhere/a.png", 1, r"^--plot /nowhere/a\.png: there is no folder /nowhere; make it first$"),
    ],
)
def test_what_cannot_be_drawn_is_wrong_use(path: str, files: int, sentence: str) -> None:
    """One sentence, before anything is heard."""
    with pytest.raises(UsageError, match=sentence):
        check(Path(path), ["a.wav"] * files)


def test_wrong_use_is_exit_code_2(capsys: pytest.CaptureFixture[str], recording: Path) -> None:
    """Nothing is classified."""
    assert oido(capsys, recording, "--plot", "a.gif") == (
        2,
        [],
        "oido: error: --plot a.gif: a picture's name ends in .png, .svg or .pdf\n",
    )


def test_a_place_that_takes_no_file_is_one_sentence(tmp_path: Path) -> None:
    """And nothing is left there."""
    (tmp_path / "a.png").mkdir()
    (tmp_path / "a.png" / "full").touch()
    with pytest.raises(OidoError, match=r"^--plot .*a\.png: cannot be written: Is a directory$"):
        save([hours(1)], tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def run_without(module: str, program: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """A process in which a module cannot be imported, as Python's own documentation of sys.modules has it."""
    hidden = f"import sys; sys.modules[{module!r}] = None; " if module else "import sys; "
    return subprocess.run(
        [sys.executable, "-c", hidden + program, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_without_matplotlib_one_sentence_says_how_to_get_it(recording: Path) -> None:
    """Exit code 1; without `--plot` nobody misses it."""
    program = "from device.cli import main; sys.exit(main(sys.argv[1:]))"
    drawn = run_without("matplotlib", program, "classify", recording, "--plot", recording.with_name("no.png"))
    sentence = "oido: error: --plot needs matplotlib, which is not installed here: pip install 'oido[plot]'\n"
    assert (drawn.returncode, drawn.stdout, drawn.stderr) == (1, "", sentence)
    assert run_without("matplotlib", program, "classify", recording).returncode == 0


def test_without_a_picture_matplotlib_is_not_imported(recording: Path) -> None:
    """It would cost 40 MB."""
    program = (
        "from device.cli import main; main(sys.argv[1:]); print('matplotlib' in sys.modules, file=sys.stderr)"
    )
    assert run_without("", program, "classify", recording).stderr == "False\n"
