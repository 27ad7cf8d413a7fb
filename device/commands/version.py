"""`oido version`: what exactly is installed here."""

import argparse
import importlib.metadata
import platform

import device
from device.errors import ModelError
from device.hearing.models.loading import installed_models
from device.hearing.models.sidecar import Sidecar
from device.monitoring.host import hardware

RUNTIMES = (
    "onnxruntime",
    "ai-edge-litert",
    "tflite-runtime",
    "numpy",
    "sounddevice",
    "soundfile",
    "soxr",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`version` has no options."""
    del parser


def run(arguments: argparse.Namespace) -> int:
    """Print versions of the program, its runtimes and its models."""
    del arguments
    print(f"oido {device.__version__}, Python {platform.python_version()}, {hardware()}")
    for name in (*RUNTIMES, "paho-mqtt"):
        print(f"  {name} {_installed(name)}")
    for path in installed_models():
        try:
            sidecar = Sidecar.read(path)
        except ModelError as error:
            print(f"  model unusable: {error}")
        else:
            print(f"  model {sidecar.name} ({sidecar.kind}, SHA-256 {sidecar.sha256[:12]}) in {path.parent}")
    return 0


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
