"""The password and the certificate file."""

import shutil
import subprocess
from pathlib import Path

import pytest

from device.configuration.settings import MqttConfig
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
    file.write_bytes(b"\xef\xbb\xbf" + SECRET.encode())  # from an editor of Windows
    assert read_credentials(config(file), {}).password == SECRET


def test_a_relative_name_is_a_systemd_credential(tmp_path: Path) -> None:
    """LoadCredential= puts it into $CREDENTIALS_DIRECTORY."""
    (tmp_path / "mqtt").write_text(SECRET, encoding="utf-8")
    credentials = read_credentials(config("mqtt"), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert credentials.password == SECRET


def test_a_credential_stands_for_the_file_of_its_name(tmp_path: Path) -> None:
    """The service may not read root's file, and gets it from systemd; root's `oido check` reads it itself."""
    handed_over, file = tmp_path / "credentials" / "password", tmp_path / "password"
    handed_over.parent.mkdir()
    handed_over.write_text(SECRET, encoding="utf-8")
    file.write_text("of the file", encoding="utf-8")
    service = read_credentials(config(file), {"CREDENTIALS_DIRECTORY": str(handed_over.parent)})
    assert service.password == SECRET
    assert read_credentials(config(file), {}).password == "of the file"  # noqa: S105 - not a password of anything


def test_a_file_that_is_no_credential_is_read_where_it_is(tmp_path: Path) -> None:
    """A service of another user may well read its own files."""
    file = tmp_path / "password"
    file.write_text(SECRET, encoding="utf-8")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    assert read_credentials(config(file), {"CREDENTIALS_DIRECTORY": str(credentials)}).password == SECRET


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


def make_certificate(directory: Path, *, passphrase: str | None = None) -> tuple[Path, Path]:
    """A certificate and its key, made with openssl; skips the test where that is missing."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (apt install openssl)")
    certificate, key = directory / "oido.pem", directory / "oido.key"
    locked = ["-noenc"] if passphrase is None else ["-passout", f"pass:{passphrase}"]
    subprocess.run(
        [
            *["openssl", "req", "-x509", "-newkey", "rsa:2048", *locked, "-days", "2"],
            *["-subj", "/CN=oido", "-keyout", str(key), "-out", str(certificate)],
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def with_certificate(certificate: Path | str | None, key: Path | str | None = None) -> MqttConfig:
    """Settings that name a certificate of this device."""
    return MqttConfig(
        host="localhost",
        tls=True,
        cert_file=None if certificate is None else str(certificate),
        key_file=None if key is None else str(key),
    )


def test_a_certificate_and_its_key_are_taken(tmp_path: Path) -> None:
    """From two files, from one, and as systemd credentials."""
    certificate, key = make_certificate(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert read_credentials(with_certificate(certificate, key), {}).tls
    assert read_credentials(with_certificate(both), {}).tls
    assert read_credentials(with_certificate("oido.pem", "oido.key"), environment).tls


def test_a_key_with_a_passphrase_is_refused(tmp_path: Path) -> None:
    """Without asking for it at a terminal that nobody sits at."""
    certificate, key = make_certificate(tmp_path, passphrase="open sesame")  # noqa: S106 - protects nothing
    with pytest.raises(ConfigurationError, match="has a passphrase"):
        read_credentials(with_certificate(certificate, key), {})


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    """Both files are named."""
    certificate, _ = make_certificate(tmp_path)
    with pytest.raises(ConfigurationError, match=r"oido\.pem.*no PEM certificate and matching key"):
        read_credentials(with_certificate(certificate), {})


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    """With the path that was tried."""
    certificate, _ = make_certificate(tmp_path)
    with pytest.raises(ConfigurationError, match=r"key_file .*other\.key.* cannot be read"):
        read_credentials(with_certificate(certificate, tmp_path / "other.key"), {})


def test_a_key_without_a_certificate_is_refused(tmp_path: Path) -> None:
    """It would not be used."""
    with pytest.raises(ConfigurationError, match="cert_file is not"):
        read_credentials(with_certificate(None, tmp_path / "oido.key"), {})


def test_a_certificate_without_tls_is_refused(tmp_path: Path) -> None:
    """As with an authority."""
    plain = MqttConfig(host="localhost", cert_file=str(tmp_path / "oido.pem"))
    with pytest.raises(ConfigurationError, match="cert_file is set but tls is not"):
        read_credentials(plain, {})
