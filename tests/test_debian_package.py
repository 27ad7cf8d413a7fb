"""packaging/deb: the content of the package. `packaging/deb/test` installs it; that needs root and a network."""

import gzip
import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from device import __version__
from device.configuration.settings import load

ROOT = Path(__file__).parents[1]
DEB = ROOT / "packaging" / "deb"
SECONDS = 1_800_000_000
"""The date that the package is built for: 2027-01-15."""

pytestmark = pytest.mark.skipif(
    shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed (Debian and its like have it)"
)


@dataclass(frozen=True, slots=True)
class Package:
    """A built package, unpacked."""

    path: Path
    root: Path
    members: dict[str, tarfile.TarInfo]
    """By path, without the leading `./`."""

    def text(self, path: str) -> str:
        """A file's content; `DEBIAN/...` are the control files."""
        return (self.root / path).read_text(encoding="utf-8")

    def field(self, name: str) -> str:
        """A field of the control file."""
        return subprocess.run(
            ["dpkg-deb", "--field", str(self.path), name], check=True, capture_output=True, text=True
        ).stdout.strip()


def distribution(library: Path, name: str, version: str, *requires: str) -> None:
    """Install a wheel with empty files."""
    files = (f"{name}/__init__.py", f"{name}/tests/test_it.py", f"{name}-{version}.dist-info/licenses/LICENSE")
    metadata = f"{name}-{version}.dist-info/METADATA"
    for file in (*files, metadata):
        path = library / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
    lines = ("Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", "License-Expression: MIT")
    needs = (f"Requires-Dist: {requirement}" for requirement in requires)
    (library / metadata).write_text("\n".join([*lines, *needs, "", ""]), encoding="utf-8")
    record = f"{name}-{version}.dist-info/RECORD"
    (library / record).write_text("".join(f"{file},,\n" for file in (*files, metadata, record)), encoding="utf-8")


def script(name: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a script of packaging/deb."""
    command = [str(DEB / name), *map(str, arguments)]
    environment = {**os.environ, "PYTHON": sys.executable, "SOURCE_DATE_EPOCH": str(SECONDS)}
    if name.endswith(".py"):
        command = [sys.executable, *command]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one tiny library instead of the dependencies, which are 110 MB."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("this Python has no pip (python -m ensurepip)")
    folder = tmp_path_factory.mktemp("library")
    distribution(folder, "tiny", "1.0")
    return folder


def build(folder: Path, library: Path) -> Path:
    """Build the package for a Raspberry Pi; any machine can."""
    done = script("build", "--arch", "arm64", "--python", "3.11", "--out", folder, "--library", library)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, library: Path) -> Package:
    """Built once."""
    path = build(tmp_path_factory.mktemp("out"), library)
    root = tmp_path_factory.mktemp("root")
    packed = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(path)], check=True, capture_output=True).stdout
    archive = root.with_suffix(".tar")
    archive.write_bytes(packed)
    with tarfile.open(archive) as files:
        members = {member.name.removeprefix("./"): member for member in files}
        files.extractall(root, filter="data")
    subprocess.run(["dpkg-deb", "--control", str(path), str(root / "DEBIAN")], check=True)
    return Package(path, root, members)


def test_it_is_named_as_debian_names_packages(package: Package) -> None:
    """Name, version and architecture; the version says for which Debian."""
    assert package.path.name == f"oido_{__version__}+deb12_arm64.deb"
    assert package.field("Architecture") == "arm64"


def test_it_wants_the_python_that_its_libraries_were_built_for(package: Package) -> None:
    """No older and no newer one."""
    depends = package.field("Depends").split(", ")
    # The unit reloads with /bin/kill, which is procps's.
    assert {"python3 (>= 3.11)", "python3 (<< 3.12)", "libportaudio2", "procps"} <= set(depends)


def test_the_same_commit_makes_the_same_bytes(package: Package, library: Path, tmp_path: Path) -> None:
    """Built again, in another folder."""
    assert build(tmp_path, library).read_bytes() == package.path.read_bytes()


def test_every_file_is_roots_and_nobody_else_writes_to_it(package: Package) -> None:
    """Folders 755, the command 755, everything else 644, all of one date."""
    for path, member in package.members.items():
        assert (member.uid, member.gid, member.mtime) == (0, 0, SECONDS), path
        assert member.isdir() or member.isfile(), path
        assert member.mode == (0o755 if member.isdir() or path == "usr/bin/oido" else 0o644), path


def test_it_installs_the_program_its_models_and_what_it_needs(package: Package) -> None:
    """In a folder of its own, apart from Python's."""
    models = {f"usr/lib/oido/device/models/{path.name}" for path in ROOT.glob("models/*.*")}
    assert models
    assert models | {"usr/lib/oido/device/__main__.py", "usr/lib/oido/tiny/__init__.py"} <= package.members.keys()


@pytest.mark.skipif(
    shutil.which("aarch64-linux-gnu-gcc") is None, reason="there is no compiler for ARM (gcc-aarch64-linux-gnu)"
)
def test_the_compiled_front_end_is_for_the_packages_architecture(package: Package) -> None:
    """Not for the machine that built it."""
    library = package.root / "usr/lib/oido/device/hearing/front_end/_spectra.so"
    assert library.read_bytes()[18:20] == (183).to_bytes(2, "little")  # EM_AARCH64 of elf.h


@pytest.mark.parametrize(
    "pattern", [r"/tests/", r"\.pyc$", r"/RECORD$", r"/direct_url\.json$", r"lib/oido/export/"]
)
def test_it_leaves_out_what_no_device_needs(package: Package, pattern: str) -> None:
    """Tests, compiled files, records of the machine that built it, and the workstation's half."""
    assert [path for path in package.members if re.search(pattern, path)] == []


def test_its_configuration_is_accepted(package: Package) -> None:
    """It takes the default microphone and a broker on the same machine."""
    config = load(package.root / "etc/oido/config.toml", {})
    (source,) = config.source
    assert (source.kind, source.device, config.mqtt.host) == ("microphone", None, "127.0.0.1")
    assert package.text("DEBIAN/conffiles") == "/etc/oido/config.toml\n"


def test_its_service_is_the_projects(package: Package) -> None:
    """Every setting of systemd/oido.service; only the program and its documentation differ."""
    ours = (ROOT / "systemd/oido.service").read_text(encoding="utf-8").partition("[Unit]\n")[2].splitlines()
    installed = package.text("usr/lib/systemd/system/oido.service").partition("[Unit]\n")[2].splitlines()
    assert set(installed) ^ set(ours) == {
        "ExecStart=/opt/oido/bin/oido run",
        "ExecStart=/usr/bin/oido run",
        "Documentation=man:oido(1) file:///usr/share/doc/oido/README.Debian",
    }


def test_it_brings_completion_and_a_manual_page(package: Package) -> None:
    """Where bash and man look for them."""
    completion = package.text("usr/share/bash-completion/completions/oido")
    assert re.search(r"^complete .*oido$", completion, re.MULTILINE)
    page = gzip.decompress((package.root / "usr/share/man/man1/oido.1.gz").read_bytes())
    assert b'.TH OIDO "1" "2027-01-15"' in page
    assert b"/etc/oido/config.toml" in page


def test_its_copyright_names_recordings_and_libraries(package: Package) -> None:
    """Each with its licence, machine-readable."""
    paragraphs = package.text("usr/share/doc/oido/copyright").split("\n\n")
    licences = {
        path: re.findall(r"^License: (.*)", paragraph, re.MULTILINE)
        for paragraph in paragraphs
        for path in re.findall(r"^(?:Files:)? (usr/\S+)$", paragraph, re.MULTILINE)
    }
    assert licences["usr/lib/oido/device/audio/music.ogg"] == ["public-domain"]
    assert licences["usr/lib/oido/device/audio/speech.ogg"] == ["CC-BY-SA-3.0"]
    assert licences["usr/lib/oido/tiny/*"] == ["tiny-licence"]
    assert "/usr/lib/oido/tiny-1.0.dist-info/licenses/LICENSE" in paragraphs[-1]


@pytest.mark.parametrize("name", ["postinst", "prerm", "postrm"])
def test_its_scripts_are_for_any_shell_and_stop_at_an_error(package: Package, name: str) -> None:
    """`sh -n` accepts them, and every @NAME@ is replaced."""
    text = package.text(f"DEBIAN/{name}")
    assert text.startswith("#!/bin/sh\nset -e\n")
    assert "@" not in text
    subprocess.run(["sh", "-n", str(package.root / "DEBIAN" / name)], check=True)


def test_its_checksums_are_right(package: Package) -> None:
    """`dpkg --verify` compares with them."""
    subprocess.run(["md5sum", "--quiet", "--check", "DEBIAN/md5sums"], cwd=package.root, check=True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--arch", "armhf"), "amd64 or arm64"),
        (("--python", "3.12"), "3.11 or 3.13"),
        (("--sign", "yes"), "usage"),
        (("--arch",), "usage"),
    ],
)
def test_a_wrong_argument_is_refused(arguments: tuple[str, ...], sentence: str) -> None:
    """With a sentence, before anything is built."""
    done = script("build", *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_pruning_keeps_licences(tmp_path: Path) -> None:
    """Whatever their names; and no empty folder is left."""
    for name in ("some/LICENSE.h", "some/tests/test_it.py", "some/code.py", "some/code.h", "export/cli.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert script("prune.py", tmp_path).returncode == 0
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert left == {"some", "some/LICENSE.h", "some/code.py"}


@pytest.mark.parametrize(
    ("requirement", "said"),
    [
        ("tiny>=1", ""),
        ("tiny>=2", "oido needs tiny>=2, and there is 1.0"),
        ("tiny; platform_machine == 'x86_64'", "tiny is there, and nothing needs it"),
        ("tiny; platform_machine == 'aarch64'", ""),
        ("tiny; python_version < '3.13'", "tiny is there, and nothing needs it"),
    ],
)
def test_the_target_decides_what_is_needed(library: Path, tmp_path: Path, requirement: str, said: str) -> None:
    """Not the machine that builds. The target here: arm64 and Python 3.13."""
    shutil.copytree(library, tmp_path, dirs_exist_ok=True)
    distribution(tmp_path, "oido", "1.0", requirement)
    done = script("closure.py", tmp_path, "arm64", "3.13")
    assert (done.returncode == 0) == (said == "")
    assert said in done.stderr


def test_what_is_missing_is_named(library: Path, tmp_path: Path) -> None:
    """And so is who needs it."""
    shutil.copytree(library, tmp_path, dirs_exist_ok=True)
    distribution(tmp_path, "oido", "1.0", "tiny", "runtime; platform_machine == 'aarch64'")
    done = script("closure.py", tmp_path, "arm64", "3.11")
    assert done.returncode == 1
    assert "oido needs runtime" in done.stderr
