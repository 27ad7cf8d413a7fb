"""The wheel: what a plain install brings, and that it hears with nothing else around."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, built."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("oido-*.whl")
    return built


def test_the_wheel_carries_what_the_device_needs(wheel: Path) -> None:
    """Models, bundled audio, schemas and the corpus's recipe are inside; tests are not."""
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in ROOT.glob("models/*.*"):
        assert f"device/models/{path.name}" in names
    assert {"device/audio/music.ogg", "device/audio/SOURCES.md", "export/corpus/recipe.json"} <= names
    assert "device/publishing/schemas/event.json" in names
    assert not any(name.startswith("tests/") for name in names)


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


def test_a_plain_install_brings_nothing_for_training() -> None:
    """No framework, no scikit-learn, no broker: a Pi's card stays small."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = " ".join(project["dependencies"])
    for heavy in ("tensorflow", "scikit-learn", "skl2onnx", "matplotlib", "amqtt", "tqdm"):
        assert heavy not in needed


def test_the_tests_train_on_the_pythons_that_tensorflow_has_wheels_for() -> None:
    """And can be installed on newer ones; what they train with is what `oido[compare]` brings."""
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
