"""Password, certificates and trusted authorities, read from files; no log and no repr shows the password."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from device.configuration.settings import MqttConfig
from device.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How the device logs in, and how it checks the broker's identity."""

    username: str | None
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None
    """None: no TLS."""


class TlsSocket(ssl.SSLSocket):
    """A connection that closes itself if the handshake fails, and keeps the broker's alert.

    paho (2.2) does neither: `_ssl_wrap_socket` leaves the socket open, and `_packet_read` only logs the alert. In
    TLS 1.3 a broker that demands the device's certificate says so in an alert after the handshake.
    """

    alert: str | None = None
    """OpenSSL's name of the alert, for example `TLSV13_ALERT_CERTIFICATE_REQUIRED`."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the standard library's signature
        """Shake hands; close if that fails."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Read; keep an alert."""
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            if "ALERT" in (error.reason or ""):
                self.alert = error.reason
            raise


def read_credentials(config: MqttConfig, environment: Mapping[str, str] = os.environ) -> Credentials:
    """Read the files that `[mqtt]` names.

    Raises:
        ConfigurationError: one is missing, empty or of another format.
    """
    password = None
    if config.password_file is not None:
        if config.username is None:
            raise ConfigurationError("[mqtt] password_file is set but username is not; set both or neither")
        password = _password(_locate(config.password_file, environment))
    return Credentials(username=config.username, password=password, tls=_tls(config, environment))


def _locate(name: str, environment: Mapping[str, str]) -> Path:
    """Find a file that the configuration names.

    The service may not read root's files: systemd passes them as credentials (LoadCredential= in systemd.exec(5)).
    A credential with the file's name takes its place, so that one configuration serves the service and root's
    `oido check`. A relative name means a credential in any case.
    """
    path = Path(name)
    directory = environment.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return path
    credential = Path(directory, path.name) if path.is_absolute() else Path(directory, name)
    there = os.path.exists(credential)  # noqa: PTH110 - never fails, however long the name
    return credential if there or not path.is_absolute() else path


def _password(path: Path) -> str:
    where = f"[mqtt] password_file {str(path)!r}"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise ConfigurationError(f"{where} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        # Not chained: that exception holds the file's bytes, and a traceback would show them.
        raise ConfigurationError(f"{where} is not UTF-8 text") from None
    password = lines[0].strip() if lines else ""
    if not password:
        raise ConfigurationError(f"{where} is empty; its first line must be the password")
    return password


def _tls(config: MqttConfig, environment: Mapping[str, str]) -> ssl.SSLContext | None:
    if not config.tls:
        for key in ("ca_file", "cert_file", "key_file"):
            if getattr(config, key) is not None:
                raise ConfigurationError(f"[mqtt] {key} is set but tls is not; set tls = true")
        return None
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
    except ssl.SSLError as error:
        raise ConfigurationError(f"[mqtt] ca_file {config.ca_file!r} holds no PEM certificate") from error
    except OSError as error:
        raise ConfigurationError(f"[mqtt] ca_file {config.ca_file!r} cannot be read: {error.strerror}") from error
    if config.ca_file is not None:
        # Python 3.13 and later refuse an authority without the key usage extension, which the usual recipes for
        # home-made ones leave out. Signature, name and dates are still checked.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.sslsocket_class = TlsSocket
    _show_certificate(context, config, environment)
    return context


def _show_certificate(context: ssl.SSLContext, config: MqttConfig, environment: Mapping[str, str]) -> None:
    """Load the device's own certificate, for brokers that ask for it."""
    if config.cert_file is None:
        if config.key_file is not None:
            raise ConfigurationError("[mqtt] key_file is set but cert_file is not; set both or neither")
        return
    certificate = _locate(config.cert_file, environment)
    key = certificate if config.key_file is None else _locate(config.key_file, environment)
    for name, path in (("cert_file", certificate), ("key_file", key)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise ConfigurationError(f"[mqtt] {name} {str(path)!r} cannot be read: {error.strerror}") from error
    asked = False

    def passphrase() -> str:
        nonlocal asked
        asked = True  # without this function OpenSSL would ask at the terminal
        return ""

    try:
        context.load_cert_chain(certificate, key, passphrase)
    except (ssl.SSLError, ValueError) as error:
        if asked:
            what = f"the key in {str(key)!r} has a passphrase, which nobody could type; store it without one"
        else:
            what = (
                f"cert_file {str(certificate)!r} and its key {str(key)!r} are no PEM certificate and matching key"
            )
        raise ConfigurationError(f"[mqtt] {what}") from error
