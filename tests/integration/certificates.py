"""Certificates of an authority of our own, made by openssl."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """PEM files of a broker, of a device, and of the authority that signed both."""

    authority: Path
    certificate: Path
    key: Path
    device_certificate: Path
    device_key: Path


def make_certificates(directory: Path) -> Certificates:
    """An authority of our own, as plain as most recipes make them, and two of it: `localhost` and a device."""
    made = Certificates(
        authority=directory / "ca.pem",
        certificate=directory / "broker.pem",
        key=directory / "broker.key",
        device_certificate=directory / "device.pem",
        device_key=directory / "device.key",
    )
    authority_key = directory / "ca.key"
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run(
        [*new, "-subj", "/CN=oido test authority", "-keyout", str(authority_key), "-out", str(made.authority)],
        check=True,
        capture_output=True,
    )
    for name, certificate, key in (
        ("localhost", made.certificate, made.key),
        ("attic", made.device_certificate, made.device_key),
    ):
        subprocess.run(
            [
                *[*new, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"],
                *["-addext", "basicConstraints=critical,CA:FALSE"],
                *["-CA", str(made.authority), "-CAkey", str(authority_key)],
                *["-keyout", str(key), "-out", str(certificate)],
            ],
            check=True,
            capture_output=True,
        )
    return made
