"""The builder: real .deb packages, made here, through the real unpacking, decoding and writing."""

import hashlib
import io
import json
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from device.sound import SAMPLE_RATE
from export.corpus.audio import middle, trim
from export.corpus.build import Builder, Built, Space, check_space
from export.corpus.dataset import load_corpus
from export.corpus.integrity import sole_use, verify
from export.corpus.packages import AptDownloader, Download, sha256_of
from export.corpus.recipe import Package, Recipe, Rule, Settings
from export.errors import CorpusError

needs_tools = pytest.mark.skipif(
    not (shutil.which("dpkg-deb") and shutil.which("ffmpeg")), reason="needs dpkg-deb and ffmpeg"
)
SETTINGS = Settings(cap_minutes=0.5, min_track_s=4, min_music_s=2, extensions=(".wav", ".ogg"))


def tone(seconds: float, rate: int = SAMPLE_RATE) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A sine of 440 Hz, half of full scale."""
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def wav(seconds: float, rate: int = SAMPLE_RATE) -> bytes:
    """A wave file with a tone."""
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(seconds, rate), rate, format="WAV")
    return buffer.getvalue()


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def make_deb(folder: Path, name: str, files: Mapping[str, bytes], version: str = "1.0") -> Path:
    """A Debian package that holds the files under usr/."""
    tree = folder / f"{name}.tree"
    (tree / "DEBIAN").mkdir(parents=True)
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: x\n"
    (tree / "DEBIAN" / "control").write_text(control)
    for path, content in files.items():
        target = tree / "usr" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    deb = folder / f"{name}_{version}_all.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, deb], check=True, stdout=subprocess.DEVNULL)
    return deb


def package(name: str, **changes: Any) -> Package:
    """A package of the test recipe."""
    rules = (Rule("*/music/*", "music", "folk"), Rule("*/jingle*", "ambiguous", "x"), Rule("*", "no_music", "ui"))
    values: dict[str, Any] = {
        "name": name,
        "version": "1.0",
        "size_bytes": 1_000,
        "holds": "tones",
        "licence": "CC0",
        "minutes": {"music": 0.1, "no_music": 0.1},
        "rules": rules,
    }
    return Package(**(values | changes))


class LocalPackages:
    """A downloader that copies .deb files from a folder; may be interrupted, and remembers what was fetched."""

    def __init__(self, folder: Path, *, interrupt_at: str | None = None, version: str = "1.0") -> None:
        self.fetched: list[str] = []
        self._folder = folder
        self._interrupt_at = interrupt_at
        self._version = version

    def fetch(self, package: Package, folder: Path) -> Download:
        """Copy the package, or fail as a real downloader does."""
        if package.name == self._interrupt_at:
            raise KeyboardInterrupt
        found = list(self._folder.glob(f"{package.name}_*.deb"))
        if not found:
            raise CorpusError(f"{package.name}: the download failed: no such package")
        self.fetched.append(package.name)
        return Download(Path(shutil.copy(found[0], folder)), self._version, package.sha256)


class Site:
    """A recipe, its packages and the folders of a build."""

    def __init__(self, root: Path, *packages: Package, settings: Settings = SETTINGS) -> None:
        self.debs = root / "debs"
        self.debs.mkdir()
        self.out = root / "out"
        self.work = root / "work"
        self.packages = packages
        self.recipe = Recipe(suite="test", settings=settings, families={}, packages=packages, digest="0")
        self.reports: dict[str, Built | CorpusError] = {}

    def builder(self, downloader: LocalPackages | None = None, **options: Any) -> Builder:
        """A builder of one job, so that the order is known."""
        return Builder(
            recipe=self.recipe,
            out=self.out,
            work=self.work,
            fetch=(downloader or LocalPackages(self.debs)).fetch,
            **({"jobs": 1} | options),
        )

    def build(self, downloader: LocalPackages | None = None, **options: Any) -> None:
        """Build what is left."""
        builder = self.builder(downloader, **options)

        def report(package: Package, outcome: Built | CorpusError) -> None:
            self.reports[package.name] = outcome

        builder.build(builder.pending(), report)

    def built(self, name: str) -> Built:
        """What a package gave."""
        outcome = self.reports[name]
        assert isinstance(outcome, Built)
        return outcome

    def rows(self) -> list[str]:
        """The manifest without its head."""
        return (self.out / "manifest.csv").read_text().splitlines()[1:]


def one_package(tmp_path: Path, files: Mapping[str, bytes], **changes: Any) -> Site:
    """A site whose recipe is one package with these files."""
    site = Site(tmp_path, package("kolf", **changes))
    make_deb(site.debs, "kolf", files)
    return site


def two_packages(tmp_path: Path) -> Site:
    """A site of two packages, built in this order: bambam, kolf."""
    site = Site(tmp_path, package("kolf"), package("bambam", size_bytes=2_000))
    make_deb(site.debs, "kolf", {"share/hit.wav": wav(1)})
    make_deb(site.debs, "bambam", {"share/music/a.wav": wav(3), "share/b.wav": wav(1)})
    return site


@needs_tools
def test_build_gives_a_corpus_that_loads(tmp_path: Path) -> None:
    """One file a package and label, a manifest that fits them, and nothing left in the work folder."""
    site = two_packages(tmp_path)
    site.build()
    corpus = load_corpus(site.out)
    assert [(stream.package, stream.label, stream.duration_s) for stream in corpus.streams] == [
        ("bambam", "music", 3.0),
        ("bambam", "no_music", 1.0),
        ("kolf", "no_music", 1.0),
    ]
    assert list(site.work.iterdir()) == []


@needs_tools
def test_audio_is_resampled_and_exact(tmp_path: Path) -> None:
    """16 kHz files come through bit for bit, others at 16 kHz and the same length."""
    site = one_package(tmp_path, {"a.wav": wav(1), "b.wav": wav(1, 48_000)})
    site.build()
    (stream,) = load_corpus(site.out).streams
    places = {clip.source_path: clip for clip in stream.clips}
    exact = stream.read(places["usr/a.wav"].start_s, 1.0)
    np.testing.assert_allclose(exact, tone(1), atol=1.1 / 32_768)
    assert places["usr/b.wav"].duration_s == pytest.approx(1.0, abs=0.01)


@needs_tools
def test_unwanted_files_stay_out(tmp_path: Path) -> None:
    """Ambiguous sounds, other files, short music and clicks are left out."""
    site = one_package(
        tmp_path,
        {
            "jingle.wav": wav(1),
            "readme.txt": b"x",
            "music/stinger.wav": wav(1),
            "click.wav": wav(0.02),
            "good.wav": wav(1),
        },
    )
    site.build()
    assert [row.rsplit(",", 1)[1] for row in site.rows()] == ["usr/good.wav"]


@needs_tools
def test_short_music_is_kept_where_the_recipe_says_so(tmp_path: Path) -> None:
    """Drum loops are music though they are short."""
    site = Site(tmp_path, package("kolf"), settings=Settings(short_music_categories=("folk",)))
    make_deb(site.debs, "kolf", {"music/loop.wav": wav(1)})
    site.build()
    assert len(site.rows()) == 1


@needs_tools
def test_members_of_a_named_archive_are_used(tmp_path: Path) -> None:
    """Zip archives inside a package are opened, and a member's path tells where it was."""
    pk3 = zipped({"music/a.wav": wav(3), "notes.txt": b"x"})
    site = one_package(tmp_path, {"share/0.pk3": pk3}, archives=("usr/share/0.pk3",))
    site.build()
    assert [row.rsplit(",", 1)[1] for row in site.rows()] == ["usr/share/0.pk3.d/music/a.wav"]


@needs_tools
def test_cap_is_spread_over_the_tracks(tmp_path: Path) -> None:
    """More music than the cap of 30 s gives the middle of every track, none twice as long as another."""
    site = one_package(tmp_path, {f"music/{number}.wav": wav(20) for number in range(3)})
    site.build()
    (stream,) = load_corpus(site.out).streams
    assert [clip.duration_s for clip in stream.clips] == [10.0, 10.0, 10.0]


@needs_tools
def test_cap_ends_a_label(tmp_path: Path) -> None:
    """No label of a package gets longer than the cap."""
    site = one_package(tmp_path, {f"{number}.wav": wav(20) for number in range(3)})
    site.build()
    (stream,) = load_corpus(site.out).streams
    assert stream.duration_s == 30.0


@needs_tools
def test_max_files_takes_the_same_files_every_time(tmp_path: Path) -> None:
    """The choice hangs on the files' names, not on the order in the package."""
    files = {f"{number}.wav": wav(0.2) for number in range(9)}
    chosen = sorted(files, key=lambda name: hashlib.md5(f"kolf/usr/{name}".encode()).hexdigest())[:4]  # noqa: S324 - the order of the recipe
    site = one_package(tmp_path, files, max_files=4)
    site.build()
    assert [row.rsplit("/", 1)[1] for row in site.rows()] == chosen


@needs_tools
def test_undecodable_file_is_reported_and_left_out(tmp_path: Path) -> None:
    """One broken recording does not lose a package."""
    site = one_package(tmp_path, {"broken.wav": b"RIFF", "good.wav": wav(1)})
    site.build()
    assert site.built("kolf").undecodable == ["usr/broken.wav"]
    assert len(site.rows()) == 1


@needs_tools
def test_interrupted_build_goes_on_where_it_was(tmp_path: Path) -> None:
    """After Ctrl-C in the second package the first is kept, and the end is that of an undisturbed build."""
    site = two_packages(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        site.build(LocalPackages(site.debs, interrupt_at="kolf"))
    assert {row.split(",")[3] for row in site.rows()} == {"bambam"}
    second = LocalPackages(site.debs)
    site.build(second)
    assert second.fetched == ["kolf"]
    (tmp_path / "whole").mkdir()
    whole = two_packages(tmp_path / "whole")
    whole.build()
    for name in ("manifest.csv", "checksums.sha256"):
        assert (site.out / name).read_bytes() == (whole.out / name).read_bytes()


@needs_tools
def test_finished_build_has_nothing_left(tmp_path: Path) -> None:
    """Building again fetches nothing."""
    site = two_packages(tmp_path)
    site.build()
    assert site.builder().pending() == ()


@needs_tools
def test_lost_file_is_built_again(tmp_path: Path) -> None:
    """A state file alone does not make a package done."""
    site = two_packages(tmp_path)
    site.build()
    (site.out / "audio" / "kolf__no_music.flac").unlink()
    assert [left.name for left in site.builder().pending()] == ["kolf"]


@needs_tools
def test_changed_rule_makes_a_package_undone(tmp_path: Path) -> None:
    """Labels never lag behind the recipe."""
    site = two_packages(tmp_path)
    site.build()
    changed = package("kolf", rules=(Rule("*", "no_music", "impact"),))
    site.recipe = Recipe(
        suite="test", settings=SETTINGS, families={}, packages=(changed, site.packages[1]), digest="1"
    )
    assert site.builder().pending() == (changed,)


@needs_tools
def test_damaged_state_is_built_again(tmp_path: Path) -> None:
    """A state file cut short by a full disk or power cut does not stop the builder."""
    site = two_packages(tmp_path)
    site.build()
    (site.out / "state" / "kolf.json").write_text('{"package": "kolf"')
    assert [left.name for left in site.builder().pending()] == ["kolf"]


@needs_tools
@pytest.mark.parametrize("damage", ["cut", "changed at the end"])
def test_damaged_package_is_named_and_the_rest_is_built(tmp_path: Path, damage: str) -> None:
    """A .deb that was cut short or changed fails alone and leaves no half-written audio."""
    site = two_packages(tmp_path)
    deb = site.debs / "kolf_1.0_all.deb"
    whole = deb.read_bytes()
    deb.write_bytes(whole[:-200] if damage == "cut" else whole[:-8] + bytes(8))
    with pytest.raises(CorpusError, match=r"1 of 2 packages failed \(kolf: .*damaged"):
        site.build()
    assert {row.split(",")[3] for row in site.rows()} == {"bambam"}
    assert [path.name for path in (site.out / "audio").glob("kolf*")] == []


@needs_tools
def test_wrong_checksum_is_refused(tmp_path: Path) -> None:
    """A package that is not the recipe's is never unpacked."""
    site = one_package(tmp_path, {"a.wav": wav(1)}, sha256="0" * 64)
    with pytest.raises(CorpusError, match=r"expected 000000000000\.\.\."):
        site.build()
    assert not (site.out / "manifest.csv").exists()


@needs_tools
def test_right_checksum_is_accepted(tmp_path: Path) -> None:
    """The recipe's checksum is that of the .deb."""
    deb = make_deb(tmp_path, "kolf", {"a.wav": wav(1)})
    site = Site(tmp_path, package("kolf", sha256=sha256_of(deb)))
    shutil.move(deb, site.debs)
    site.build()
    assert len(site.rows()) == 1


@needs_tools
@pytest.mark.parametrize("name", ["../../../../escaped.wav", "/escaped.wav", "..\\..\\escaped.wav"])
def test_archive_cannot_write_outside(tmp_path: Path, name: str) -> None:
    """A zip member whose path leaves the folder fails the package and writes nothing."""
    site = one_package(tmp_path, {"0.pk3": zipped({name: wav(1)})}, archives=("usr/0.pk3",))
    with pytest.raises(CorpusError, match="outside of it; not unpacked"):
        site.build()
    assert list(tmp_path.rglob("*escaped*")) == []


@needs_tools
def test_damaged_archive_is_named(tmp_path: Path) -> None:
    """A zip that is none is an error about the package."""
    site = one_package(tmp_path, {"0.pk3": b"not a zip"}, archives=("usr/0.pk3",))
    with pytest.raises(CorpusError, match=r"kolf: usr/0\.pk3 in the package is damaged"):
        site.build()


@needs_tools
def test_other_version_is_noted(tmp_path: Path) -> None:
    """What the suite had instead of the recipe's version can be read from the state."""
    site = one_package(tmp_path, {"a.wav": wav(1)})
    site.build(LocalPackages(site.debs, version="1.1"))
    assert json.loads((site.out / "state" / "kolf.json").read_text())["version"] == "1.1"


@needs_tools
def test_kept_packages_are_used_again(tmp_path: Path) -> None:
    """With keep_packages a second build of the same recipe downloads nothing."""
    deb = make_deb(tmp_path, "kolf", {"a.wav": wav(1)})
    site = Site(tmp_path, package("kolf", sha256=sha256_of(deb)))
    shutil.move(deb, site.debs)
    site.build(keep_packages=True)
    shutil.rmtree(site.out)
    second = LocalPackages(site.debs)
    site.build(second, keep_packages=True)
    assert second.fetched == []
    assert len(site.rows()) == 1


@needs_tools
def test_no_network_ends_the_build_early(tmp_path: Path) -> None:
    """When nothing works from the start, not all 64 packages are tried."""
    site = Site(tmp_path, *(package(f"p{number}") for number in range(20)))
    with pytest.raises(CorpusError, match=r"of 20 packages failed \(p.*: the download failed"):
        site.build()
    assert len(site.reports) == 3


@needs_tools
def test_checksums_find_a_changed_and_a_missing_file(tmp_path: Path) -> None:
    """Verify names what is not as it was built."""
    site = two_packages(tmp_path)
    site.build()
    assert {problem for _, problem in verify(site.out)} == {None}
    (site.out / "audio" / "kolf__no_music.flac").write_bytes(b"x")
    (site.out / "audio" / "bambam__music.flac").unlink()
    assert {name: problem for name, problem in verify(site.out) if problem} == {
        "audio/kolf__no_music.flac": "has changed",
        "audio/bambam__music.flac": "is missing",
    }


@needs_tools
def test_unknown_package_is_refused(tmp_path: Path) -> None:
    """--only with a misspelt name is an error, not an empty build."""
    with pytest.raises(CorpusError, match="'kolff' is not in the recipe"):
        two_packages(tmp_path).builder().pending(["kolff"])


@needs_tools
def test_space_grows_with_what_is_kept(tmp_path: Path) -> None:
    """The estimate counts downloads, the largest packages at work, and kept packages."""
    site = two_packages(tmp_path)
    space = site.builder().space(site.packages)
    assert space.download == 3_000
    assert space.peak == 6_000
    assert site.builder(keep_packages=True).space(site.packages).peak == 7_000


def test_full_disk_is_told_before_the_start(tmp_path: Path) -> None:
    """Both figures are in the message."""
    with pytest.raises(CorpusError, match=r"GB free and about 1000000000\.0 GB needed"):
        check_space(Space(download=0, result=10**18, peak=0), tmp_path / "out", tmp_path / "work")


def test_trim_leaves_a_margin() -> None:
    """Silence at both ends goes, except 50 ms around the sound."""
    loud = np.full(SAMPLE_RATE, 3_000, np.int16)
    quiet = np.zeros(SAMPLE_RATE, np.int16)
    kept = trim(np.concatenate([quiet, loud, quiet]), -55)
    assert len(kept) == SAMPLE_RATE + 2 * SAMPLE_RATE // 20
    assert np.count_nonzero(kept) == SAMPLE_RATE


def test_trim_leaves_nothing_of_silence() -> None:
    """A silent file gives no clip."""
    assert trim(np.ones(SAMPLE_RATE, np.int16), -55).size == 0


def test_middle_is_the_middle() -> None:
    """As much is cut before as after; short recordings stay whole."""
    samples = np.arange(SAMPLE_RATE, dtype=np.int16)
    part = middle(samples, 0.5)
    assert (part[0], len(part)) == (SAMPLE_RATE // 4, SAMPLE_RATE // 2)
    assert len(middle(samples, 2)) == SAMPLE_RATE


def fake_apt(folder: Path, monkeypatch: pytest.MonkeyPatch, *, show: str, download: str = "exit 1") -> None:
    """Put an apt-get and an apt-cache in front of the system's."""
    for name, body in (("apt-cache", f"cat <<'END'\n{show}\nEND"), ("apt-get", download)):
        program = folder / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_missing_apt_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is no Debian the sentence says where to build."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CorpusError, match="apt-get is not on this machine; build the corpus on Debian"):
        AptDownloader()


def test_missing_package_index_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `apt-get update` never ran, that is what to do."""
    fake_apt(tmp_path, monkeypatch, show="")
    with pytest.raises(CorpusError, match="run `sudo apt-get update` first"):
        AptDownloader().fetch(package("kolf"), tmp_path)


def test_failed_download_gives_the_reason_of_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last error line of apt-get is passed on."""
    failing = "echo 'W: sandbox' >&2; echo 'E: Failed to fetch: 404' >&2; exit 100"
    fake_apt(tmp_path, monkeypatch, show="Version: 1.0\nSHA256: aa", download=failing)
    with pytest.raises(CorpusError, match="kolf: the download failed: Failed to fetch: 404"):
        AptDownloader().fetch(package("kolf"), tmp_path)


@pytest.mark.parametrize(
    ("offered", "version", "sha256"),
    [("1.0", "1.0", "recipe"), ("1.1", "1.1", "index")],
)
def test_version_of_the_recipe_is_preferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offered: str, version: str, sha256: str
) -> None:
    """The suite's version is taken only where it no longer has the recipe's, with the index's checksum."""
    show = f"Package: kolf\nVersion: 2.0\nSHA256: x\n\nPackage: kolf\nVersion: {offered}\nSHA256: index"
    if offered != "1.0":
        show = show.split("\n\n")[1]
    fake_apt(tmp_path, monkeypatch, show=show, download='touch "kolf_${4#kolf=}_all.deb"')
    download = AptDownloader().fetch(package("kolf", sha256="recipe"), tmp_path)
    assert (download.version, download.sha256) == (version, sha256)
    assert download.path.name == f"kolf_{version}_all.deb"


def test_two_builds_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second is told in one sentence; when the first has ended, the folder is free."""
    with sole_use(tmp_path), pytest.raises(CorpusError, match="another build is at work here"), sole_use(tmp_path):
        pytest.fail("both had it")
    with sole_use(tmp_path):
        pass
