"""`oido version`: what exactly is installed here."""

import argparse
import platform

import device
from device.errors import ModelError
from device.hearing.models.loading import installed_models
from device.hearing.models.sidecar import Sidecar
from device.monitoring.host import hardware, installed_version

RUNTIMES = ("onnxruntime", "ai-edge-litert", "tflite-runtime")
LIBRARIES = (*RUNTIMES, "numpy", "sounddevice", "soundfile", "soxr", "paho-mqtt")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`version` has no options."""
    del parser


def run(arguments: argparse.Namespace) -> int:
    """Print versions of the program, its runtimes and its models."""
    del arguments
    print(f"oido {device.__version__}, Python {platform.python_version()}, {hardware()}")
    for name in LIBRARIES:
        print(f"  {name} {installed_version(name) or 'not installed'}")
    for path in installed_models():
        try:
            sidecar = Sidecar.read(path)
        except ModelError as error:
            print(f"  model unusable: {error}")
        else:
            print(f"  model {sidecar.name} ({sidecar.kind}, SHA-256 {sidecar.sha256[:12]}) in {path.parent}")
    return 0
