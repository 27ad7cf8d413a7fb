"""device.sources.recording: any file, or one sentence why not."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import SourceError
from device.sound import SAMPLE_RATE, Block, FloatArray
from device.sources.decoding import AudioFile
from device.sources.mpeg import sections
from device.sources.recording import Recording
from device.sources.riff import wave

FREQUENCY_HZ = 440


def write(
    path: Path, *, seconds: float = 3, rate_hz: int = 44_100, channels: int = 2, subtype: str | None = None
) -> Path:
    """A 440 Hz tone with a little noise, in the format that the name says."""
    count = round(seconds * rate_hz)
    mono = 0.5 * np.sin(2 * np.pi * FREQUENCY_HZ * np.arange(count) / rate_hz)
    mono += 0.01 * np.random.default_rng(0).standard_normal(count)
    frames = np.repeat(mono[:, np.newaxis], channels, axis=1).astype(np.float32)
    container = {"ogg": "OGG", "opus": "OGG"}.get(path.suffix[1:])
    with soundfile.SoundFile(path, "w", rate_hz, channels, subtype=subtype, format=container) as file:
        for at in range(0, count, rate_hz):  # libsndfile's Vorbis encoder overflows its stack on long writes
            file.write(frames[at : at + rate_hz])
    return path


def heard(path: Path) -> list[Block]:
    """All blocks of a file."""
    return list(Recording(path, name="test").blocks())


def samples_of(blocks: list[Block]) -> FloatArray:
    """The blocks' samples, end to end."""
    return np.concatenate([block.samples for block in blocks])


def heard_until_error(path: Path) -> tuple[list[Block], str]:
    """The blocks that came before the error, and its sentence."""
    blocks: list[Block] = []
    with pytest.raises(SourceError) as caught:
        blocks.extend(Recording(path, name="test").blocks())
    assert "\n" not in str(caught.value)
    return blocks, str(caught.value)


def cut(path: Path, share: float) -> Path:
    """Keep only the beginning of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize(
    ("name", "subtype", "rate_hz", "channels"),
    [
        ("8-bit.wav", "PCM_U8", 8_000, 1),
        ("16-bit.wav", "PCM_16", 44_100, 2),
        ("24-bit.wav", "PCM_24", 96_000, 2),
        ("float.wav", "FLOAT", 48_000, 1),
        ("double.wav", "DOUBLE", 16_000, 1),
        ("six.wav", "PCM_16", 48_000, 6),
        ("a.flac", "PCM_24", 96_000, 2),
        ("a.ogg", "VORBIS", 44_100, 2),
        ("a.opus", "OPUS", 48_000, 2),
        ("a.mp3", None, 44_100, 2),
        ("low.mp3", None, 11_025, 1),
        ("a.aiff", "PCM_16", 22_050, 1),
    ],
)
def test_every_format_rate_and_channel_count_sounds_the_same(
    tmp_path: Path, name: str, subtype: str | None, rate_hz: int, channels: int
) -> None:
    """The tone comes out at its pitch and level, 16 kHz mono float32, for as long as it lasts."""
    path = write(tmp_path / name, rate_hz=rate_hz, channels=channels, subtype=subtype)
    samples = samples_of(heard(path))
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(3 * SAMPLE_RATE, abs=2)
    spectrum = np.abs(np.fft.rfft(samples[SAMPLE_RATE : 2 * SAMPLE_RATE]))
    assert int(np.argmax(spectrum)) == FREQUENCY_HZ
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.03)


def test_blocks_are_consecutive_and_equal(tmp_path: Path) -> None:
    """Blocks are as long as asked, start where the last ended, and carry no wall time."""
    recording = Recording(write(tmp_path / "a.wav", seconds=1.05), name="test", block_s=0.25)
    blocks = list(recording.blocks())
    assert [len(block.samples) for block in blocks] == [4_000, 4_000, 4_000, 4_000, 800]
    assert [block.start for block in blocks] == [0, 4_000, 8_000, 12_000, 16_000]
    assert {block.wall_time for block in blocks} == {None}


@pytest.mark.parametrize("name", ["a.wav", "a.mp3"])
def test_the_block_length_changes_no_sample(tmp_path: Path, name: str) -> None:
    """Replaying with other blocks gives the same bits."""
    path = write(tmp_path / name)
    short = samples_of(list(Recording(path, name="test", block_s=0.013).blocks()))
    assert np.array_equal(short, samples_of(list(Recording(path, name="test", block_s=1.7).blocks())))


@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_16", "PCM_24"])
def test_blocks_kept_by_the_consumer_do_not_change(tmp_path: Path, subtype: str) -> None:
    """The buffer that is used again is not what the blocks show."""
    path = write(tmp_path / "a.wav", rate_hz=SAMPLE_RATE, channels=1, subtype=subtype)
    original, _ = soundfile.read(path, dtype="float32")
    assert np.array_equal(samples_of(heard(path)), original)


def test_what_is_not_a_number_is_silence_and_counted(tmp_path: Path) -> None:
    """NaN and Inf in a float file come out as zeros, counted where they were."""
    samples = np.full(SAMPLE_RATE, 0.25, np.float32)
    samples[2_000:2_010] = np.nan
    samples[5_000] = -np.inf
    soundfile.write(tmp_path / "nan.wav", samples, SAMPLE_RATE, subtype="FLOAT")
    blocks = heard(tmp_path / "nan.wav")
    assert sum(block.invalid for block in blocks) == 11
    assert np.flatnonzero(samples_of(blocks) == 0).tolist() == [*range(2_000, 2_010), 5_000]


def test_values_beyond_full_scale_are_clipped(tmp_path: Path) -> None:
    """A float file may hold anything; a block holds [-1, 1]."""
    soundfile.write(tmp_path / "loud.wav", np.array([0.5, 5, -1e30], np.float32), SAMPLE_RATE, subtype="FLOAT")
    assert samples_of(heard(tmp_path / "loud.wav")).tolist() == [0.5, 1, -1]


def test_a_missing_file(tmp_path: Path) -> None:
    """Named, with the reason."""
    assert heard_until_error(tmp_path / "no.wav") == (
        [],
        f"{tmp_path}/no.wav: cannot be read: there is no such file",
    )


def test_a_directory(tmp_path: Path) -> None:
    """Named as what it is."""
    assert "is a directory" in heard_until_error(tmp_path)[1]


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Opening a pipe that nobody writes to would hang."""
    os.mkfifo(tmp_path / "pipe.wav")
    assert "is not a file" in heard_until_error(tmp_path / "pipe.wav")[1]


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything; permissions are tested as somebody else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_without_permission(tmp_path: Path) -> None:
    """The reason is the permission, not the format."""
    path = write(tmp_path / "a.wav")
    path.chmod(0)
    with as_nobody():
        assert "permission denied" in heard_until_error(path)[1]


@pytest.mark.parametrize("name", ["random.wav", "random.mp3", "random.flac"])
def test_random_bytes_are_not_audio(tmp_path: Path, name: str) -> None:
    """Whatever it is called; and the sentence names the way that ffmpeg offers."""
    (tmp_path / name).write_bytes(np.random.default_rng(1).bytes(100_000))
    blocks, sentence = heard_until_error(tmp_path / name)
    assert blocks == []
    assert "not a kind of audio file" in sentence
    assert "ffmpeg" in sentence


def test_an_empty_file_holds_no_audio(tmp_path: Path) -> None:
    """No byte at all."""
    (tmp_path / "a.wav").touch()
    assert "holds no audio" in heard_until_error(tmp_path / "a.wav")[1]


@pytest.mark.parametrize("name", ["a.wav", "a.ogg"])
def test_a_file_without_samples_holds_no_audio(tmp_path: Path, name: str) -> None:
    """A header and nothing after it."""
    assert "holds no audio" in heard_until_error(write(tmp_path / name, seconds=0))[1]


@pytest.mark.parametrize("name", ["a.flac", "a.mp3"])
def test_a_truncated_file_is_heard_up_to_where_it_breaks(tmp_path: Path, name: str) -> None:
    """Half of 10 s is yielded; then the sentence says at which second it broke."""
    blocks, sentence = heard_until_error(cut(write(tmp_path / name, seconds=10), 0.5))
    seconds = len(samples_of(blocks)) / SAMPLE_RATE
    assert 4 < seconds < 6
    assert f"breaks off at {seconds:.1f} s of 10.0 s" in sentence


@pytest.mark.parametrize("name", ["a.wav", "a.aiff"])
def test_a_wav_that_promises_more_than_it_holds_ends_normally(tmp_path: Path, name: str) -> None:
    """A recording that was cut off can be heard as far as it goes."""
    path = cut(write(tmp_path / name, seconds=4), 0.5)
    assert len(samples_of(heard(path))) == pytest.approx(2 * SAMPLE_RATE, abs=20)


def test_a_wav_of_unknown_length_is_heard_whole(tmp_path: Path) -> None:
    """Programs that stream a WAV write the greatest size there is."""
    path = write(tmp_path / "a.wav")
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(data)
    assert len(samples_of(heard(path))) == pytest.approx(3 * SAMPLE_RATE, abs=2)


def with_zeros_in_the_middle(path: Path) -> Path:
    """10,000 bytes of it are lost."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 10_000] = bytes(10_000)
    path.write_bytes(data)
    return path


def test_damage_in_a_flac_is_reported(tmp_path: Path) -> None:
    """What came before is heard, then one sentence."""
    blocks, sentence = heard_until_error(with_zeros_in_the_middle(write(tmp_path / "a.flac", seconds=10)))
    assert 4 < len(samples_of(blocks)) / SAMPLE_RATE < 6
    assert "breaks off" in sentence


def test_damage_in_an_mp3_that_says_how_long_it_is_is_reported(tmp_path: Path) -> None:
    """What came before and after it is heard, then one sentence says what is missing."""
    blocks, sentence = heard_until_error(with_zeros_in_the_middle(write(tmp_path / "a.mp3", seconds=10)))
    assert 8 < len(samples_of(blocks)) / SAMPLE_RATE < 9.9
    assert "damaged: from 5." in sentence
    assert "s of 10.0 s are missing" in sentence


def test_a_header_cut_short_is_damage(tmp_path: Path) -> None:
    """An Ogg file without its codec's headers is told from one that is no audio."""
    path = write(tmp_path / "a.ogg")
    path.write_bytes(path.read_bytes()[:200])
    assert "its header cannot be read" in heard_until_error(path)[1]


def test_mp3_files_joined_end_to_end_are_heard_to_the_end(tmp_path: Path) -> None:
    """The first one's header gives the length of only the first."""
    one = write(tmp_path / "one.mp3", seconds=10).read_bytes()
    (tmp_path / "joined.mp3").write_bytes(one + one)
    # Each new section begins with the decoder's priming, less than 0.2 s.
    assert len(samples_of(heard(tmp_path / "joined.mp3"))) / SAMPLE_RATE == pytest.approx(20, abs=0.3)


def test_the_sample_rate_is_found_as_the_sound_is(tmp_path: Path) -> None:
    """An early check reads the beginning, and finds what is wrong."""
    assert AudioFile(write(tmp_path / "a.flac", subtype="PCM_24")).sample_rate_hz() == 44_100
    with pytest.raises(SourceError, match="no such file"):
        AudioFile(tmp_path / "no.wav").sample_rate_hz()


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_how_far_a_recording_is_shows_progress(tmp_path: Path, name: str) -> None:
    """From nothing to all of it, never back."""
    recording = Recording(write(tmp_path / name, seconds=5), name="test")
    parts = [recording.part or 0.0 for _ in recording.blocks()]
    assert parts == sorted(parts)
    assert 0 < parts[0] < 0.5
    assert parts[-1] > 0.95


CASES = Path(__file__).parents[2] / "shared" / "cases"


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("vbr_no_xing_8s_speech4_music4.mp3", 8.2),
        ("chained_speech_then_music.ogg", 20.0),
        ("flac_without_length.flac", 6.0),
        ("mp3_inside_wav_intact.wav", 20.1),
        ("wav_riff_and_data_size_zero.wav", 6.25),
    ],
)
def test_files_of_the_wild_are_heard_whole(name: str, seconds: float) -> None:
    """Where they are at hand."""
    if not (CASES / name).exists():
        pytest.skip(f"{name} is not here")
    assert len(samples_of(heard(CASES / name))) / SAMPLE_RATE == pytest.approx(seconds, abs=0.1)


def test_a_wav_beyond_4_gib_is_heard_to_its_end(tmp_path: Path) -> None:
    """Its sizes are what is left of the division by 2**32."""
    length = 4_500_000_000
    path = write(tmp_path / "big.wav", seconds=0, rate_hz=48_000, subtype="PCM_16")
    with path.open("r+b") as file:
        head = bytearray(file.read())
        head[4:8] = ((len(head) + length - 8) % 2**32).to_bytes(4, "little")
        head[-4:] = (length % 2**32).to_bytes(4, "little")
        file.seek(0)
        file.write(head)
        file.truncate(len(head) + length)
    with path.open("rb") as file:
        found = wave(file.fileno(), path.stat().st_size)
    assert found is not None
    assert found.end - found.start == length


def test_two_wavs_joined_end_to_end_are_both_heard(tmp_path: Path) -> None:
    """Also where the second has another rate and other channels."""
    one, two = write(tmp_path / "one.wav", seconds=1), write(tmp_path / "two.wav", rate_hz=8_000, channels=1)
    (tmp_path / "both.wav").write_bytes(one.read_bytes() + two.read_bytes())
    assert len(samples_of(heard(tmp_path / "both.wav"))) == pytest.approx(4 * SAMPLE_RATE, abs=2)


def test_bytes_that_are_passed_over_are_remarked(tmp_path: Path) -> None:
    """An MP3 that does not say how long it is may have lost something there."""
    path = write(tmp_path / "a.mp3", seconds=4)
    data = path.read_bytes()
    with path.open("rb") as stream:
        start, _ = next(sections(stream.fileno(), 0, len(data))).ranges[0]  # after the tag
    middle = len(data) // 2
    path.write_bytes(data[start:middle] + bytes(9_000) + data[middle:])
    file = AudioFile(path)
    assert sum(len(frames) for _, frames in file.frames()) / 44_100 == pytest.approx(4, abs=0.2)
    assert len(file.remarks) == 1
    assert "are no MP3 and were passed over" in file.remarks[0]


def test_a_playlist_is_named_as_one(tmp_path: Path) -> None:
    """Not as a damaged recording."""
    (tmp_path / "a.m3u").write_text("#EXTM3U\nhttp://radio/live\n")
    assert "is a playlist; name the files in it" in heard_until_error(tmp_path / "a.m3u")[1]


def test_an_absurd_sample_rate_names_the_file(tmp_path: Path) -> None:
    """A WAV of 1 Hz is no sound."""
    soundfile.write(tmp_path / "slow.wav", np.zeros(10, np.float32), 1)
    assert heard_until_error(tmp_path / "slow.wav")[1].startswith(f"{tmp_path}/slow.wav: a sample rate of 1 Hz")


def test_making_one_opens_nothing(tmp_path: Path) -> None:
    """The file may come into being after its source."""
    recording = Recording(tmp_path / "a.wav", name="test")
    write(tmp_path / "a.wav", seconds=0.5)
    assert len(list(recording.blocks())) == 5


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    """Not by a file read to its end, one that breaks, nor one abandoned in the middle."""
    whole, broken = write(tmp_path / "a.wav"), cut(write(tmp_path / "b.flac"), 0.5)
    before = len(list(Path("/proc/self/fd").iterdir()))
    heard(whole)
    heard_until_error(broken)
    for _ in Recording(whole, name="test").blocks():
        break
    assert len(list(Path("/proc/self/fd").iterdir())) == before


class FakeClock:
    """Time that passes only while somebody waits for it."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.waits: list[float] = []

    def read(self) -> float:
        """The time."""
        return self.now_s

    def wait(self, seconds: float) -> bool:
        """Let the time pass."""
        self.waits.append(seconds)
        self.now_s += seconds
        return False


def test_live_pace_never_runs_ahead_of_the_clock(tmp_path: Path) -> None:
    """Each block comes when its last sample would have sounded."""
    clock = FakeClock()
    recording = Recording(
        write(tmp_path / "a.wav", seconds=1), name="test", pace="live", clock=clock.read, wait=clock.wait
    )
    for block in recording.blocks():
        assert clock.now_s - 100 == pytest.approx((block.start + len(block.samples)) / SAMPLE_RATE)


def test_live_pace_catches_up_with_a_late_consumer(tmp_path: Path) -> None:
    """The time that the consumer took is not waited for again."""
    clock = FakeClock()
    recording = Recording(
        write(tmp_path / "a.wav", seconds=1), name="test", pace="live", clock=clock.read, wait=clock.wait
    )
    for block in recording.blocks():
        if block.start == 0:
            clock.now_s += 0.55
    assert len(clock.waits) == 1 + 4


def test_close_ends_a_live_recording_in_the_middle_of_a_wait(tmp_path: Path) -> None:
    """Whoever closes need not wait for the next block."""
    clock = FakeClock()

    def close_while_waiting(seconds: float) -> bool:
        recording.close()
        return clock.wait(seconds) or True

    recording = Recording(
        write(tmp_path / "a.wav"), name="test", pace="live", clock=clock.read, wait=close_while_waiting
    )
    assert list(recording.blocks()) == []


def test_close_ends_blocks(tmp_path: Path) -> None:
    """No block follows, and closing twice does no harm."""
    recording = Recording(write(tmp_path / "a.wav"), name="test")
    seen = 0
    for _ in recording.blocks():
        seen += 1
        recording.close()
        recording.close()
    assert seen == 1
