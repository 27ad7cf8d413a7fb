"""The password and the trusted authorities, read from files. Neither ever appears in a log or a repr."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from device.config import MqttConfig
from device.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How the device shows who it is, and how it knows the broker."""

    username: str | None
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None
    """None: no TLS."""


class _TidySocket(ssl.SSLSocket):
    """Closes itself if the handshake fails: paho (2.2, `_ssl_wrap_socket`) would leave it open."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the standard library's signature
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def read_credentials(config: MqttConfig, environment: Mapping[str, str] = os.environ) -> Credentials:
    """Read the files that `[mqtt]` names.

    Raises:
        ConfigurationError: one is missing, empty or not what it should be.
    """
    password = None
    if config.password_file is not None:
        if config.username is None:
            raise ConfigurationError("[mqtt] password_file is set but username is not; set both or neither")
        password = _password(_locate(config.password_file, environment))
    return Credentials(username=config.username, password=password, tls=_tls(config))


def _locate(name: str, environment: Mapping[str, str]) -> Path:
    """A relative name is a credential that systemd hands over (systemd.exec(5), LoadCredential=)."""
    directory = environment.get("CREDENTIALS_DIRECTORY")
    return Path(directory, name) if directory else Path(name)


def _password(path: Path) -> str:
    where = f"[mqtt] password_file {str(path)!r}"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigurationError(f"{where} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        # Not chained: that exception holds the file's bytes, and a traceback would show them.
        raise ConfigurationError(f"{where} is not UTF-8 text") from None
    password = lines[0].strip() if lines else ""
    if not password:
        raise ConfigurationError(f"{where} is empty; its first line must be the password")
    return password


def _tls(config: MqttConfig) -> ssl.SSLContext | None:
    if not config.tls:
        if config.ca_file is not None:
            raise ConfigurationError("[mqtt] ca_file is set but tls is not; set tls = true")
        return None
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
    except ssl.SSLError as error:
        raise ConfigurationError(f"[mqtt] ca_file {config.ca_file!r} holds no PEM certificate") from error
    except OSError as error:
        raise ConfigurationError(f"[mqtt] ca_file {config.ca_file!r} cannot be read: {error.strerror}") from error
    if config.ca_file is not None:
        # From Python 3.13 on, an authority without the key usage extension is refused by default, and the
        # recipes for home-made ones leave it out. Signature, name and dates are checked all the same.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.sslsocket_class = _TidySocket
    return context
