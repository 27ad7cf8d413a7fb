"""What a running oido has imported: what it needs, and nothing that it does not."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

NEVER = {
    *("scipy", "matplotlib", "sklearn", "tensorflow", "export", "asyncio", "multiprocessing", "concurrent"),
    *("xml", "unittest", "pdb", "curses", "tkinter"),
}
"""Of no daemon, whatever it is told to do."""


def modules(folder: Path, *words: str) -> Iterator[str]:
    """Everything that `oido run` has imported once three seconds of sound on standard input are over."""
    path = folder / "config.toml"
    path.write_text(f'[node]\nstate_dir = "{folder}/state"\n[[source]]\nkind = "stdin"\n')
    program = (
        "import sys; from device.__main__ import main; import threading; sys.argv = ['oido', *sys.argv[1:]]; "
        "code = main(); print(*sys.modules, sep='\\n', file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "run", "-c", path, *words],
        cwd=ROOT,
        input=bytes(96_000),
        capture_output=True,
        check=False,
        timeout=100,
    )
    assert b'"score":' in done.stdout, done.stderr
    yield from done.stderr.decode().splitlines()


def packages(names: Iterator[str]) -> set[str]:
    """The first part of each name."""
    return {name.partition(".")[0] for name in names}


def test_a_tflite_model_needs_no_onnxruntime(tmp_path: Path) -> None:
    """Nor a microphone's library, a decoder, or a broker's, where there is none of these."""
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    loaded = packages(modules(tmp_path))
    assert "ai_edge_litert" in loaded
    assert not loaded & {"onnxruntime", "sounddevice", "soundfile", "paho"}
    assert not loaded & NEVER


def test_an_onnx_model_needs_no_tflite(tmp_path: Path) -> None:
    """The reverse."""
    loaded = packages(modules(tmp_path, "--model", "logistic"))
    assert "onnxruntime" in loaded
    assert not loaded & {"ai_edge_litert", "tflite_runtime", "sounddevice", "soundfile", "paho"}
    assert not loaded & (NEVER - {"asyncio", "concurrent", "multiprocessing", "xml", "unittest"})


def test_a_source_needs_only_its_own_kind(tmp_path: Path) -> None:
    """Standard input: no microphone, no recordings."""
    loaded = set(modules(tmp_path, "--model", "logistic"))
    assert "device.sources.pipe" in loaded
    assert not loaded & {"device.sources.microphone", "device.sources.port_audio", "device.sources.recording"}


def test_only_a_port_for_figures_needs_a_server(tmp_path: Path) -> None:
    """Without one there is none, and no demo, benchmark or picture either."""
    loaded = set(modules(tmp_path, "--model", "logistic"))
    assert not loaded & {"http.server", "device.monitoring.metrics_server", "device.demo", "device.commands.plot"}
    assert not any(name.startswith("device.benchmark") for name in loaded)
