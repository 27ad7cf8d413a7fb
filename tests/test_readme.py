"""README.md and README.es.md: the same content in two languages, and nothing in it that the code does not do."""

import ast
import inspect
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from device.cli import COMMANDS as DEVICE_COMMANDS
from device.cli import main as oido
from device.configuration.settings import Config, ModelConfig, SourceConfig, load
from device.publishing.message import Topics
from export.cli import COMMANDS as EXPORT_COMMANDS

ROOT = Path(__file__).parents[1]
ENGLISH, SPANISH = "README.md", "README.es.md"
ACCURACY = "docs/accuracy.md"
EXAMPLE = (ROOT / "systemd" / "config.example.toml").read_text(encoding="utf-8")

both = pytest.mark.parametrize("name", [ENGLISH, SPANISH])


def text_of(name: str) -> str:
    """A README, whole."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str) -> list[str]:
    """Its fenced code blocks, each with its language."""
    return re.findall(r"^```.*?^```$", text_of(name), re.MULTILINE | re.DOTALL)


def prose(name: str) -> str:
    """What is left without them."""
    return re.sub(r"^```.*?^```$", "", text_of(name), flags=re.MULTILINE | re.DOTALL)


def code_spans(name: str) -> list[str]:
    """Its code within lines, on one line each."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(name))]


def links(name: str) -> list[str]:
    """Where its links lead."""
    return re.findall(r"\]\(([^)]+)\)", prose(name))


def numbers(name: str) -> Counter[str]:
    """The numbers of its prose and tables, without separators of thousands: 10,000 here, 10 000 there."""
    joined = re.sub(r"(?<=\d)[,\N{NO-BREAK SPACE}](?=\d{3}\b)", "", prose(name))
    return Counter(re.findall(r"\d+(?:\.\d+)*", joined))


def commands(name: str, prog: str) -> set[str]:
    """The words that follow a program's name in its code."""
    code = "\n".join([*blocks(name), *code_spans(name)])
    return set(re.findall(rf"(?:^|[\s/]){prog} ([a-z]+)\b", code, re.MULTILINE))


def published_topics() -> Iterator[str]:
    """Every topic of the contract, in the READMEs' notation."""
    topics = Topics("oido", "<node>")
    for name, member in vars(Topics).items():
        if isinstance(member, property):
            yield getattr(topics, name)
        elif inspect.isfunction(member) and list(inspect.signature(member).parameters) == ["self", "source"]:
            yield member(topics, "<source>")


def uncommented() -> str:
    """The example configuration with every key that is commented out put into force."""
    return re.sub(r"^# (?=[a-z_]+ = )", "", EXAMPLE, flags=re.MULTILINE)


def settings_listed() -> set[str]:
    """`section.key` for every key of the example configuration."""
    table = tomllib.loads(uncommented())
    table["source"] = table["source"][0]
    return {f"{section}.{key}" for section, keys in table.items() for key in keys}


def settings_known() -> set[str]:
    """`section.key` for every setting of device.configuration.settings."""
    config = Config()
    sections = {entry.name: getattr(config, entry.name) for entry in fields(Config)}
    sections["source"] = SourceConfig()
    return {f"{name}.{entry.name}" for name, section in sections.items() for entry in fields(section)}


def test_each_language_links_to_the_other() -> None:
    """Whoever opens the wrong one finds the right one."""
    assert SPANISH in links(ENGLISH)
    assert ENGLISH in links(SPANISH)


def test_both_have_the_same_code_blocks() -> None:
    """Byte for byte."""
    assert blocks(SPANISH) == blocks(ENGLISH)


def test_both_have_the_same_code_within_lines() -> None:
    """Commands, topics, options, keys and paths are not translated."""
    assert set(code_spans(SPANISH)) == set(code_spans(ENGLISH))


def test_both_have_the_same_numbers() -> None:
    """Each as often."""
    assert numbers(SPANISH) == numbers(ENGLISH)


@both
def test_every_linked_file_exists(name: str) -> None:
    """In the repository, from its root."""
    assert [link for link in links(name) if "://" not in link and not (ROOT / link).exists()] == []


@both
def test_every_script_exists(name: str) -> None:
    """What is to be run with `python` or `bash` is there."""
    code = "\n".join([*blocks(name), *code_spans(name)])
    scripts = re.findall(r"(?:^|\s)(?:python|bash) (tests/[\w./]+)", code, re.MULTILINE)
    assert scripts
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


@both
def test_the_commands_of_the_device_are_all_there(name: str) -> None:
    """Every command of `oido`, and none that does not exist."""
    assert commands(name, "oido") == {command.name for command in DEVICE_COMMANDS}


@both
def test_the_commands_of_the_workstation_exist(name: str) -> None:
    """No command of `oido-export` that does not exist."""
    mentioned = commands(name, "oido-export")
    assert mentioned
    assert mentioned <= {command.name for command in EXPORT_COMMANDS}


@both
def test_the_table_of_topics_is_the_contract(name: str) -> None:
    """Every topic, and none that is never used."""
    listed = re.findall(r"^\| `(oido/[^`]+)` \|", text_of(name), re.MULTILINE)
    assert sorted(listed) == sorted(published_topics())


def texts_of_the_device() -> set[str]:
    """Every piece of text in its code; what is filled into a sentence stands between two pieces."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "device").rglob("*.py")]
    constants = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {text for text in constants if isinstance(text, str)}


def complaints_quoted() -> list[str]:
    """What the English README says that `oido check` says, without what is filled in."""
    section = text_of(ENGLISH).split("### When something is wrong")[1].split("\n## ")[0]
    quoted = re.findall(r"^\| `(.*?)` \|", section, re.MULTILINE)
    quoted += re.findall(r"^FAIL .*?: (.*)$", (ROOT / "docs" / "arm.md").read_text(encoding="utf-8"), re.MULTILINE)
    filled_in = r"\.\.\.(?:/\S+:)?|ai-edge-litert or tflite-runtime|onnxruntime"
    return [piece.strip(" :") for sentence in quoted for piece in re.split(filled_in, sentence)]


def test_what_the_check_says_is_what_the_readme_says_that_it_says() -> None:
    """Every sentence of the table of troubles, piece by piece; the Spanish README has the same code spans."""
    pieces = [piece for piece in complaints_quoted() if piece not in ("", ";", ",")]
    texts = texts_of_the_device()
    assert len(pieces) > 20
    assert [piece for piece in pieces if not any(piece in text for text in texts)] == []


@both
def test_the_configuration_shown_is_accepted(name: str, tmp_path: Path) -> None:
    """The small example can be copied as it is."""
    (block,) = (block for block in blocks(name) if block.startswith("```toml"))
    path = tmp_path / "config.toml"
    path.write_text(block.removeprefix("```toml").removesuffix("```"), encoding="utf-8")
    assert load(path, {}).mqtt.host == "192.168.1.10"


def test_every_key_of_the_example_configuration_is_accepted(tmp_path: Path) -> None:
    """Also those that are commented out, with the values that stand there."""
    path = tmp_path / "config.toml"
    path.write_text(uncommented(), encoding="utf-8")
    assert load(path, {}).mqtt.max_queued_events == 10_000


def test_the_example_configuration_lists_every_setting() -> None:
    """Every section and key of device.configuration.settings, as the READMEs say."""
    assert settings_listed() == settings_known()


SOUNDS = ("clean", "level", "room", "mixture")


def metrics_of(model: str) -> dict[str, Any]:
    """The figures of a bundled model, sound by sound."""
    description = json.loads((ROOT / "models" / f"{model}.json").read_text(encoding="utf-8"))
    metrics: dict[str, Any] = description["metrics"]
    return metrics


@pytest.mark.parametrize("sound", SOUNDS)
def test_the_figures_are_those_of_the_default_model(sound: str) -> None:
    """In docs/accuracy.md, rounded to three decimals, with their intervals."""
    metrics = metrics_of(ModelConfig().name)[sound]
    measures = [metrics[column] for column in ("accuracy", "f1", "precision", "recall", "roc_auc")]
    cells = [f"{each['value']:.3f} [{each['low']:.3f}, {each['high']:.3f}]" for each in measures]
    assert f"| {' | '.join([sound, str(metrics['rows']), *cells])} |" in text_of(ACCURACY).splitlines()


@pytest.mark.parametrize("model", ["attention", "embedder", "logistic"])
def test_the_comparison_has_the_figures_of_every_model(model: str) -> None:
    """F1 of each answer in the READMEs; of each answer and segment in docs/accuracy.md; to three decimals."""
    metrics = metrics_of(model)
    answers = [f"{metrics[sound]['f1']['value']:.3f}" for sound in SOUNDS]
    segments = [f"{metrics[sound]['segment']['f1']['value']:.3f}" for sound in SOUNDS]
    assert f"| `{model}` | {' | '.join([*answers, *segments])} |" in text_of(ACCURACY).splitlines()
    for name in (ENGLISH, SPANISH):
        assert f"| `{model}` | {' | '.join(answers)} |" in text_of(name).splitlines()


def test_classify_prints_what_the_readme_shows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command of the console block, line by line; the Spanish README has the same block."""
    monkeypatch.chdir(ROOT)
    (block,) = (block for block in blocks(ENGLISH) if block.startswith("```console"))
    first, *examples = re.split(r"^\$ oido ", block.removesuffix("```"), flags=re.MULTILINE)
    assert first == "```console\n"
    for example in examples:
        command, _, shown = example.partition("\n")
        assert oido(command.split()) == 0
        assert capsys.readouterr().out == shown
