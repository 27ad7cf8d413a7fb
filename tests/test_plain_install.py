"""`pip install oido`, without any extra: the help of every command works, and what is missing is named."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from evaluation_fakes import small_corpus
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from device.cli import COMMANDS as DEVICE_COMMANDS
from export.cli import COMMANDS as EXPORT_COMMANDS

ROOT = Path(__file__).parents[1]
PROGRAMS = {"oido": ("device", DEVICE_COMMANDS), "oido-export": ("export", EXPORT_COMMANDS)}
EVERY = [(program, command.name) for program, (_, commands) in PROGRAMS.items() for command in commands]


def needed(name: str) -> set[str]:
    """The distributions that come with one, without any extra; itself included."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found:
            found.add(name)
            wanted = map(Requirement, metadata.requires(name) or ())
            waiting += [each.name for each in wanted if not each.marker or each.marker.evaluate({"extra": ""})]
    return found


NEEDED = needed("oido")

EXTRAS = sorted(
    module
    for module, names in metadata.packages_distributions().items()
    if not {canonicalize_name(name) for name in names} & NEEDED
)
"""Modules that only the extras bring, or nobody."""

HIDDEN = f"""
import runpy, sys
from importlib.machinery import PathFinder

class Plain(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {EXTRAS!r} else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Plain
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""
"""Runs a module as if the extras were not installed."""


def plain(package: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A command where no extra is installed."""
    command = [sys.executable, "-c", HIDDEN, package, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def test_what_is_hidden_is_what_the_extras_bring() -> None:
    """And nothing that the device needs."""
    assert {"matplotlib", "scipy", "sklearn", "jinja2"} < set(EXTRAS)
    assert not {"numpy", "soundfile", "sounddevice", "soxr", "paho"} & set(EXTRAS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_help_of_the_program(program: str) -> None:
    """Lists its commands."""
    outcome = plain(PROGRAMS[program][0], "--help")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert all(command.name in outcome.stdout for command in PROGRAMS[program][1])


@pytest.mark.parametrize(("program", "command"), EVERY)
def test_the_help_of_every_command(program: str, command: str) -> None:
    """Options and all."""
    outcome = plain(PROGRAMS[program][0], command, "--help")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert f"usage: {program} {command}" in outcome.stdout


MISSING = {
    ("device", "demo"): (1, "the demo needs a broker of its own: pip install 'oido[demo]'"),
    ("device", "classify", "--plot", "a.png", "a.wav"): (1, "needs matplotlib, which is not installed here: pip"),
    ("export", "calibrate", "attention", "--corpus", "CORPUS"): (
        1,
        "needs scipy, which is not installed here: pip install 'oido[export]'",
    ),
    ("export", "report", "--out", "/dev/null"): (1, "needs jinja2, which is not installed here: pip install"),
    ("export", "compare"): (1, "need TensorFlow: pip install 'oido[train]'"),
    ("export", "compare", "--rows", "logistic", "--features", "cepstral"): (1, "pip install 'oido[compare]'"),
}


@pytest.mark.parametrize("words", MISSING)
def test_a_missing_extra_is_one_sentence(words: tuple[str, ...], tmp_path: Path) -> None:
    """With the line that installs it; CORPUS stands for a small one."""
    corpus = str(small_corpus(tmp_path).root) if "CORPUS" in words else ""
    outcome = plain(*(corpus if word == "CORPUS" else word for word in words))
    code, sentence = MISSING[words]
    assert (outcome.returncode, outcome.stdout) == (code, "")
    assert sentence in outcome.stderr
    assert outcome.stderr.count("\n") == 1


WORKING = (
    ("device", "version"),
    ("device", "history", "--help"),
    ("device", "classify", "--summary", "device/audio/music.ogg"),
    ("device", "run", "--input", "device/audio/music.ogg"),
    ("export", "corpus", "info", "--packages"),
)


@pytest.mark.parametrize("words", WORKING)
def test_the_device_needs_no_extra(words: tuple[str, ...]) -> None:
    """Commands that work as they are."""
    outcome = plain(*words)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a virtual environment into which the package was installed, and nothing else."""
    folder = tmp_path_factory.mktemp("plain") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=300)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, str(ROOT)], check=True, timeout=900)
    return folder / "bin"


@pytest.mark.soak
@pytest.mark.timeout(1_200)
def test_a_real_plain_install(installed: Path, tmp_path: Path) -> None:
    """Every command's help, and a recording heard, away from the checkout."""

    def outcome(program: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(installed / program), *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)

    for program, command in EVERY:
        helped = outcome(program, command, "--help")
        assert (helped.returncode, helped.stderr) == (0, ""), command
    heard = outcome("oido", "classify", "--summary", str(ROOT / "device" / "audio" / "music.ogg"))
    assert (heard.returncode, heard.stderr, '"music": true' in heard.stdout) == (0, "", True)
    missing = outcome("oido-export", "calibrate", "attention")
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)
