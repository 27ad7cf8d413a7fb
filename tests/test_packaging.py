"""The wheel: what a plain install contains, and that it works with nothing else around."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from device import __version__

ROOT = Path(__file__).parents[1]


COMPILED = "device/hearing/front_end/_spectra.so"


def build(folder: Path, **environment: str) -> tuple[Path, str]:
    """The project's wheel, and what the build printed."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    environment = {**os.environ, **environment}
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, env=environment)
    (built,) = folder.glob("oido-*.whl")
    return built, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, built."""
    return build(tmp_path_factory.mktemp("wheel"))[0]


def test_the_wheel_carries_what_the_device_needs(wheel: Path) -> None:
    """Models, bundled audio, schemas and the corpus's recipe are inside; tests are not."""
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in ROOT.glob("models/*.*"):
        assert f"device/models/{path.name}" in names
    assert {"device/audio/music.ogg", "device/audio/SOURCES.md", "export/corpus/recipe.json"} <= names
    assert "device/publishing/schemas/event.json" in names
    assert {f"export/reporting/templates/{name}" for name in ("page.html", "style.css")} <= names
    assert not any(name.startswith("tests/") or name.endswith(".c") for name in names)


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler (apt install gcc)")
def test_the_wheel_is_for_this_machine_where_there_is_a_compiler(tmp_path: Path) -> None:
    """And for any Python: the compiled transform does not depend on it."""
    built, _ = build(tmp_path, CC="cc")
    assert built.name.startswith(f"oido-{__version__}-py3-none-")
    assert sysconfig.get_platform().replace("-", "_").replace(".", "_") in built.name
    assert COMPILED in zipfile.ZipFile(built).namelist()


@pytest.mark.skipif(
    shutil.which("aarch64-linux-gnu-gcc") is None, reason="there is no compiler for ARM (gcc-aarch64-linux-gnu)"
)
def test_the_wheel_for_a_pi_is_made_elsewhere(tmp_path: Path) -> None:
    """As packaging/deb/build does it."""
    built, _ = build(tmp_path, CC="aarch64-linux-gnu-gcc", _PYTHON_HOST_PLATFORM="linux-aarch64")
    assert built.name.endswith("-py3-none-linux_aarch64.whl")
    machine = zipfile.ZipFile(built).read(COMPILED)[18:20]
    assert machine == (183).to_bytes(2, "little")  # EM_AARCH64 of elf.h


@pytest.mark.parametrize(
    ("compiler", "warning"),
    [
        ("none", ""),
        ("no-such-compiler", "no C compiler (no-such-compiler): numpy and soxr do its work"),
        ("false", "false cannot compile the front end (exit code 1); numpy and soxr do its work"),
    ],
)
def test_without_a_compiler_the_wheel_is_for_any_machine(tmp_path: Path, compiler: str, warning: str) -> None:
    """The build warns, unless CC=none asked for it."""
    built, said = build(tmp_path, CC=compiler)
    assert built.name == f"oido-{__version__}-py3-none-any.whl"
    assert COMPILED not in zipfile.ZipFile(built).namelist()
    assert warning in said
    assert bool(warning) == ("numpy and soxr do its work" in said)


def test_an_installed_wheel_hears(wheel: Path, tmp_path: Path) -> None:
    """Installed elsewhere and run elsewhere, it finds its model and its audio."""
    installed = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    done = subprocess.run(
        [sys.executable, "-m", "device", "classify", "--summary", str(installed / "device/audio/music.ogg")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["music"] is True


def test_a_plain_install_brings_only_what_the_device_needs() -> None:
    """No framework, no scikit-learn, no broker, no maker of documents: a Pi's card stays small."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = " ".join(project["dependencies"])
    for heavy in ("tensorflow", "scikit-learn", "skl2onnx", "matplotlib", "amqtt", "tqdm", "shtab", "manpage"):
        assert heavy not in needed


def test_the_tests_train_on_the_pythons_that_tensorflow_has_wheels_for() -> None:
    """`dev` installs on newer ones too, and brings what `oido[compare]` brings."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = {extra: [Requirement(line) for line in lines] for extra, lines in extras.items()}
    # hatchling takes such names apart, and forgets their markers.
    assert not [each for lines in asked.values() for each in lines if each.name == "oido" and each.marker]
    for_tests = {each.name: each for each in asked["dev"]}
    for each in asked["train"] + asked["compare"]:
        if each.name == "oido":
            continue
        marker = for_tests[each.name].marker
        assert for_tests[each.name].specifier == each.specifier
        assert marker is not None
        assert not marker.evaluate({"python_version": "3.14"})
        assert marker.evaluate({"python_version": "3.11"}) == (each.marker is None or each.marker.evaluate())
