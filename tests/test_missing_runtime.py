"""device.hearing.models.missing_runtime: where no runtime is, one sentence says what to do."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from device.hearing.models.missing_runtime import Interpreter, missing_runtime

ROOT = Path(__file__).parents[1]

BOTH = ("ai-edge-litert", "tflite-runtime")
ONNX, TFLITE = Path("/m/it.onnx"), Path("/m/it.tflite")

BOOKWORM = Interpreter("armv7l", 32, (3, 11))
TRIXIE = Interpreter("armv7l", 32, (3, 13))
SMALL_ON_LARGE = Interpreter("aarch64", 32, (3, 11))
"""32-bit Raspberry Pi OS on a Pi 4: its kernel is 64-bit."""
ZERO = Interpreter("armv6l", 32, (3, 11))
LARGE = Interpreter("aarch64", 64, (3, 13))

NOTHING = "no library that could run a model exists for 32-bit ARM with Python 3.1"


@pytest.mark.parametrize("where", [BOOKWORM, SMALL_ON_LARGE])
def test_an_onnx_model_cannot_run_on_32_bits(where: Interpreter) -> None:
    """But a TFLite model can; also where only Python is 32-bit and the kernel is not."""
    assert missing_runtime(ONNX, ["onnxruntime"], where) == (
        "/m/it.onnx: an ONNX model needs onnxruntime, which does not exist for 32-bit ARM with Python 3.11: "
        'choose a TFLite model, for example [model] name = "attention"'
    )


@pytest.mark.parametrize("where", [BOOKWORM, SMALL_ON_LARGE])
def test_on_32_bits_tflite_is_the_older_runtime(where: Interpreter) -> None:
    """With the NumPy that it needs."""
    assert missing_runtime(TFLITE, BOTH, where).endswith("pip install tflite-runtime 'numpy<2'")
    forced = missing_runtime(TFLITE, ("ai-edge-litert",), where)
    assert forced.startswith(
        "/m/it.tflite: ai-edge-litert does not exist for 32-bit ARM with Python 3.11: leave [model]"
    )


@pytest.mark.parametrize("where", [TRIXIE, ZERO])
def test_where_nothing_can_run_nobody_is_told_to_install_it(where: Interpreter) -> None:
    """Python 3.13 on 32 bits, and the first Raspberry Pi: the way out is another system."""
    for sentence in (missing_runtime(ONNX, ["onnxruntime"], where), missing_runtime(TFLITE, BOTH, where)):
        assert sentence.startswith((f"/m/it.onnx: {NOTHING}", f"/m/it.tflite: {NOTHING}"))
        assert "64-bit Raspberry Pi OS" in sentence
        assert "pip install" not in sentence


def test_on_64_bits_pip_has_it() -> None:
    """Both kinds."""
    assert missing_runtime(ONNX, ["onnxruntime"], LARGE).endswith("pip install onnxruntime")
    assert missing_runtime(TFLITE, BOTH, LARGE).endswith("install ai-edge-litert or tflite-runtime with pip")


def test_this_python_knows_itself() -> None:
    """A size and a version that can be."""
    here = Interpreter.here()
    assert here.bits in (32, 64)
    assert here.version == sys.version_info[:2]
    assert f"Python {here.version[0]}.{here.version[1]}" in str(here)


@pytest.mark.parametrize(
    ("model", "absent", "sentence"),
    [
        ("logistic", ["onnxruntime"], r"logistic\.onnx: .*onnxruntime,?( which)? is not installed here"),
        (
            "attention",
            ["ai_edge_litert", "tflite_runtime"],
            r"\.tflite: needs a TFLite runtime; install ai-edge-litert",
        ),
    ],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_the_commands_say_so(command: str, model: str, absent: list[str], sentence: str, tmp_path: Path) -> None:
    """A Python without these libraries: `check` fails in one line, `run` in one sentence."""
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({absent!r})); "
        "from device.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    config = tmp_path / "config.toml"
    config.write_text(f'[[source]]\nkind = "stdin"\n[node]\nstate_dir = "{tmp_path}"\n')
    done = subprocess.run(
        [sys.executable, "-c", program, command, "-c", config, "--model", model],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    said = [line for line in (done.stdout + done.stderr).splitlines() if re.search(sentence, line)]
    assert len(said) == 1
    assert said[0].startswith("FAIL model: " if command == "check" else "oido: error: ")
    assert "Traceback" not in done.stderr
