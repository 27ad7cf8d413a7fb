"""No secret of a URL reaches a log, an error, `oido check` or systemd, wherever in the URL it stands."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.configuration.settings import SourceConfig
from device.masking import masked, masked_about, masked_url

SECRETS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ/@:?#&;=!+%~$*()[]", min_size=1, max_size=12).map("Q7{}Z9".format)
"""With every character that means something in a URL; the ends are found nowhere else."""
PLACES = (
    "rtsp://admin:{}@host.test/live",
    "rtsp://{}:word@host.test/live",
    "rtsp://{}@host.test:554/live",
    "http://host.test/live?access_token={}",
    "http://host.test/live?a=1&api_key={}",
    "http://host.test/live?auth={}&sig=x",
    "http://host.test/live;session={}",
    "http://host.test/live?{}",
    "http://host.test/live#{}",
    "http:/admin:{}@host.test/live",
)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://user:pass@cam/1", "rtsp://***@cam/1"),
        ("rtsp://user:p@ss@cam/1", "rtsp://***@cam/1"),
        ("rtsp://admin:a/b@cam/1", "rtsp://***@cam/1"),
        ("rtsp://admin:a b@cam/1", "rtsp://***@cam/1"),
        ("http://radio/a?access_token=abc&x=1", "http://radio/a?access_token=***&x=***"),
        ("http://radio/a?mail=me@home.test", "http://***"),
        ("http://radio:8000/a", "http://radio:8000/a"),
        ("file:///srv/a@b=c.wav", "file:///srv/a@b=c.wav"),
        ("/srv/a@b=c.wav", "/srv/a@b=c.wav"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    """Host and path stay, and names of parameters; a file's name is no secret."""
    assert masked_url(url) == shown


@given(st.sampled_from(PLACES), SECRETS)
def test_a_secret_is_masked_wherever_it_stands(place: str, secret: str) -> None:
    """As a URL, within a sentence, in quotes, and quoted by another program."""
    url = place.format(secret)
    for text in (
        masked_url(url),
        masked(f"{url}: no sample for 2 s"),
        masked(f"cannot open {url!r}, trying again"),
        masked_about(f"[rtsp @ 0x5] {url}: Connection refused", url),
    ):
        assert "Q7" not in text
        assert "Z9" not in text
        assert "***" in text


@given(st.sampled_from(PLACES[:8]), SECRETS)
def test_a_piece_of_a_secret_is_masked(place: str, secret: str) -> None:
    """Another program cuts the URL differently, or decodes it, and names what it took for the host."""
    url = place.format(quote(secret, safe=""))
    said = masked_about(f"Failed to resolve hostname {secret}: {quote(secret, safe='')}", url)
    assert "Q7" not in said


@given(st.sampled_from(PLACES), SECRETS)
def test_what_is_masked_stays_as_it_is(place: str, secret: str) -> None:
    """A sentence may pass through here twice."""
    once = masked(f"{masked_url(place.format(secret))}: refused")
    assert masked(once) == once


def test_text_without_secrets_is_left_alone() -> None:
    """Times, paths, signs."""
    for text in ("at 12:30:05, a@b", "see https://example.org/docs/a.html.", "/var/lib/oido: 5 MB", "a://b: c=d"):
        assert masked(text) == text


def test_settings_do_not_show_their_url() -> None:
    """As an exception or a debugger would print them."""
    assert "secret" not in repr(SourceConfig(kind="stream", url="rtsp://a:secret@b"))


MISTAKES = {
    "host": '[mqtt]\nhost = "mqtt://ear:Q7secret@127.0.0.1"\n',
    "path": '[[source]]\nname = "a"\nkind = "file"\npath = "rtsp://ear:Q7/secret@127.0.0.1/live"\n',
    "kind": '[[source]]\nname = "a"\nkind = "rtsp://ear:Q7 secret@127.0.0.1/live"\n',
    "name": '[node]\nname = "http://127.0.0.1/?sig=Q7secret"\n',
    "url": '[[source]]\nname = "a"\nkind = "stream"\nurl = "tcp://ear:Q7/secret@127.0.0.1:1/live?auth=Q7"\n',
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("command", ["check", "run"])
def test_no_command_shows_a_secret(tmp_path: Path, mistake: str, command: str) -> None:
    """Real processes, with a URL where it belongs and where it does not."""
    config = tmp_path / "config.toml"
    config.write_text(MISTAKES[mistake])
    said = bytearray()
    with subprocess.Popen(
        [sys.executable, "-m", "device", command, "-c", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"XDG_STATE_HOME": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        while line := process.stdout.readline():
            said += line
            if b"***" in line:
                process.terminate()
    assert b"***" in said or (command, mistake) == ("check", "url")  # it opens no stream
    assert b"Q7" not in said


def test_a_log_shows_no_secret_of_a_chained_exception(tmp_path: Path) -> None:
    """Neither in the message nor in the traceback."""
    program = (
        "import logging\n"
        "from device.command_line import Command, execute\n"
        "execute(['broken'], prog='p', description='', commands=[Command('broken', '', 'broken')])\n"
    )
    (tmp_path / "broken.py").write_text(
        "import logging\n"
        "def add_arguments(parser): ...\n"
        "def run(arguments):\n"
        "    url = 'http://h/?sig=Q7' + 'se' + 'cret'\n"
        "    try:\n"
        "        try:\n"
        "            raise ValueError(url)\n"
        "        except ValueError as error:\n"
        "            raise OSError('no') from error\n"
        "    except OSError:\n"
        "        logging.exception('%s failed', url)\n"
        "    return 0\n"
    )
    root = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), root))}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr.count("http://h/?sig=***") == 2
    assert "Q7secret" not in done.stderr
