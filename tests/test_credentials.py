"""The password and the certificate file."""

from pathlib import Path

import pytest

from device.config import MqttConfig
from device.errors import ConfigurationError
from device.publishing.credentials import read_credentials

SECRET = "correct horse"  # noqa: S105 - not a password of anything


def config(password_file: Path | str) -> MqttConfig:
    """Settings that name a password file."""
    return MqttConfig(host="localhost", username="ear", password_file=str(password_file))


def test_the_first_line_of_the_file_is_the_password(tmp_path: Path) -> None:
    """Editors end a file with a newline, and people add notes."""
    file = tmp_path / "password"
    file.write_text(f"{SECRET} \r\nfor the broker in the attic\n", encoding="utf-8")
    assert read_credentials(config(file), {}).password == SECRET


def test_a_relative_name_is_a_systemd_credential(tmp_path: Path) -> None:
    """LoadCredential= puts it into $CREDENTIALS_DIRECTORY."""
    (tmp_path / "mqtt").write_text(SECRET, encoding="utf-8")
    credentials = read_credentials(config("mqtt"), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert credentials.password == SECRET


def test_the_password_is_not_in_the_repr(tmp_path: Path) -> None:
    """What is printed ends up in logs."""
    file = tmp_path / "password"
    file.write_text(SECRET, encoding="utf-8")
    assert SECRET not in repr(read_credentials(config(file), {}))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"  \nsecond"])
def test_an_empty_password_is_refused(tmp_path: Path, content: bytes) -> None:
    """An empty first line is a mistake, not a password."""
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="is empty"):
        read_credentials(config(file), {})


def test_a_missing_password_file_is_named(tmp_path: Path) -> None:
    """With the path that was tried, wherever it came from."""
    with pytest.raises(ConfigurationError, match=r"nowhere.*No such file"):
        read_credentials(config("nowhere"), {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_a_password_file_that_is_no_text_leaks_nothing(tmp_path: Path) -> None:
    """Not even through the chain of exceptions that a traceback shows."""
    file = tmp_path / "password"
    file.write_bytes(b"\xff" + SECRET.encode())
    with pytest.raises(ConfigurationError, match="not UTF-8") as refusal:
        read_credentials(config(file), {})
    assert SECRET not in str(refusal.value)
    assert refusal.value.__suppress_context__


def test_a_password_without_a_user_is_refused(tmp_path: Path) -> None:
    """MQTT 3.1.1 knows no such login."""
    with pytest.raises(ConfigurationError, match="username"):
        read_credentials(MqttConfig(host="localhost", password_file=str(tmp_path)), {})


def test_a_missing_authority_is_named(tmp_path: Path) -> None:
    """Found at the start, not at the first connection."""
    with pytest.raises(ConfigurationError, match=r"ca_file .*ca\.pem.* cannot be read"):
        read_credentials(MqttConfig(host="localhost", tls=True, ca_file=str(tmp_path / "ca.pem")), {})


def test_a_file_without_a_certificate_is_no_authority(tmp_path: Path) -> None:
    """Any other file is refused too."""
    file = tmp_path / "ca.pem"
    file.write_text("hello", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="no PEM certificate"):
        read_credentials(MqttConfig(host="localhost", tls=True, ca_file=str(file)), {})


def test_an_authority_without_tls_is_refused(tmp_path: Path) -> None:
    """Who names an authority believes the connection to be encrypted."""
    with pytest.raises(ConfigurationError, match="set tls = true"):
        read_credentials(MqttConfig(host="localhost", ca_file=str(tmp_path / "ca.pem")), {})


def test_tls_without_an_authority_trusts_the_system() -> None:
    """And checks the name in the certificate."""
    context = read_credentials(MqttConfig(host="localhost", tls=True), {}).tls
    assert context is not None
    assert context.check_hostname
