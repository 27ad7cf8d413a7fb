"""device.configuration.settings: defaults that work, and one sentence for whatever is wrong."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.configuration.settings import Config, DecisionConfig, SourceConfig, load
from device.errors import ConfigurationError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where configurations are written."""
    return tmp_path_factory.mktemp("config")


def read(folder: Path, text: str | bytes, **environment: str) -> Config:
    """The text, by way of a file."""
    path = folder / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path, environment)


def sentence(folder: Path, text: str | bytes, **environment: str) -> str:
    """The error's sentence, without the file's name in front where it is there."""
    with pytest.raises(ConfigurationError) as caught:
        read(folder, text, **environment)
    assert caught.value.exit_code == 2
    return str(caught.value).removeprefix(f"{folder / 'config.toml'}: ")


def test_an_empty_file_is_all_defaults(folder: Path) -> None:
    """The default microphone, the bundled model, no broker."""
    config = read(folder, "")
    assert config == Config()
    assert (config.source[0].kind, config.model.name, config.mqtt.host) == ("microphone", "attention", None)


def test_every_section_is_read(folder: Path) -> None:
    """Values of every kind, whole numbers where a fraction is allowed too."""
    config = read(
        folder,
        """
        node.name = "attic"
        [[source]]
        name = "radio"
        kind = "stream"
        url = "http://radio.example/live"
        [[source]]
        name = "tape"
        kind = "file"
        path = "tape.wav"
        stall_s = 3
        [model]
        mode = "precision"
        [decision]
        min_on_s = 2
        on = 0.6
        [mqtt]
        host = "broker.example"
        tls = true
        port = 8883
        [log]
        level = "debug"
        """,
    )
    assert [source.name for source in config.source] == ["radio", "tape"]
    assert config.source[1].stall_s == 3.0
    assert config.decision == DecisionConfig(min_on_s=2.0, min_off_s=None, on=0.6)
    assert (config.mqtt.host, config.mqtt.port, config.mqtt.tls, config.log.level) == (
        "broker.example",
        8883,
        True,
        "debug",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[mqtt]\nhots = 'x'", "[mqtt] hots: unknown key; did you mean 'host'?"),
        ("[model]\nzzz = 1", "[model] zzz: unknown key; known here: name, directory, mode, runtime"),
        ("[decison]\non = 0.5", "decison: unknown key; did you mean 'decision'?"),
        ("[mqtt]\nport = '1883'", "[mqtt] port: '1883' must be a whole number"),
        ("[mqtt]\nport = true", "[mqtt] port: True must be a whole number"),
        ("[mqtt]\ntls = 1", "[mqtt] tls: 1 must be true or false"),
        ("[mqtt]\nhost = 5", "[mqtt] host: 5 must be text"),
        ("[decision]\non = 'high'", "[decision] on: 'high' must be a number"),
        ("[decision]\non = true", "[decision] on: True must be a number"),
        ("[decision]\non = 1.5", "[decision] on: 1.5 must lie between 0 and 1"),
        ("[decision]\non = nan", "[decision] on: nan must lie between 0 and 1"),
        ("[decision]\nmin_on_s = -1", "[decision] min_on_s: -1.0 must lie between 0 and 3600"),
        (f"[decision]\non = 1{'0' * 400}", "[decision] on: inf must lie between 0 and 1"),
        ("[mqtt]\nport = 0", "[mqtt] port: 0 must lie between 1 and 65535"),
        ("[model]\nmode = 'best'", "[model] mode: 'best' is not one of 'balanced', 'precision', 'recall'"),
        ("[model]\nmode = ['recall']", "[model] mode: ['recall'] is not one of 'balanced', 'precision', 'recall'"),
        ("node = 5", "[node] must be a section, not 5"),
        ("[source]\nname = 'x'", "source: write it as [[source]]"),
        ("source = []", "[[source]] is empty; name at least one source or leave it out"),
        ("source = [1]", "[source] must be a section, not 1"),
        (
            "[[source]]\nname = 'a'\n[[source]]\nname = 'a'",
            "two [[source]] are named 'a'; give each its own name",
        ),
        ("[[source]]\nkind = 'file'", "[[source]] 'microphone' has kind = 'file' and needs 'path'"),
        ("[[source]]\nkind = 'stream'\nurl = ''", "[[source]] 'microphone' has kind = 'stream' and needs 'url'"),
        (
            "[decision]\non = 0.3\noff = 0.4",
            "[decision] off = 0.4 is above on = 0.3; music would start and stop at once",
        ),
    ],
)
def test_what_is_wrong_is_named(folder: Path, text: str, expected: str) -> None:
    """The key, the value, and what is allowed."""
    assert sentence(folder, text) == expected


@pytest.mark.parametrize("name", ["", "a/b", "a+b", "#", "café", "a b", "x" * 65])
def test_a_name_that_no_topic_can_hold_is_refused(folder: Path, name: str) -> None:
    """Node, source and base topic are levels of topics."""
    for text in (f"[node]\nname = '{name}'", f"[[source]]\nname = '{name}'", f"[mqtt]\nbase_topic = '{name}'"):
        assert "becomes part of a topic and may hold letters" in sentence(folder, text)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[mqtt", "not valid TOML: "),
        (b"a = 1\na = 2", "not valid TOML: "),
        (b"\xff\xfe", "cannot read the configuration: it is not UTF-8 text"),
        (b"[mqtt]\nport = " + b"1" * 5000, "not valid TOML: "),
        (b"a = " + b"[" * 50_000, "not valid TOML: "),
    ],
    ids=["syntax", "twice", "utf-8", "digits", "nesting"],
)
def test_what_is_not_toml_is_refused(folder: Path, content: bytes, expected: str) -> None:
    """With the parser's reason."""
    assert sentence(folder, content).startswith(expected)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that was asked for must be there."""
    with pytest.raises(ConfigurationError, match=r"absent\.toml: cannot read the configuration: No such file"):
        load(tmp_path / "absent.toml", {})


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(ConfigurationError, match="cannot read the configuration: Is a directory"):
        load(tmp_path, {})


def test_the_environment_overrides(folder: Path) -> None:
    """`OIDO_SECTION_KEY`, of every type, over the file."""
    config = read(
        folder,
        "[mqtt]\nhost = 'file'\nusername = 'kept'",
        OIDO_MQTT_HOST="environment",
        OIDO_MQTT_PORT="2000",
        OIDO_MQTT_TLS="true",
        OIDO_DECISION_ON="0.8",
        OIDO_MODEL_MODE="recall",
        OIDO_NODE_NAME="cellar",
    )
    assert (config.mqtt.host, config.mqtt.username, config.mqtt.port) == ("environment", "kept", 2000)
    assert (config.mqtt.tls, config.decision.on, config.model.mode) == (True, 0.8, "recall")
    assert config.node.name == "cellar"


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("OIDO_MQTT_PORT", "http", "OIDO_MQTT_PORT: 'http' must be a whole number"),
        ("OIDO_MQTT_PORT", "", "OIDO_MQTT_PORT: '' must be a whole number"),
        ("OIDO_MQTT_PORT", "70000", "OIDO_MQTT_PORT: 70000 must lie between 1 and 65535"),
        ("OIDO_MQTT_TLS", "yes", "OIDO_MQTT_TLS: 'yes' must be true or false"),
        ("OIDO_DECISION_ON", "nan", "OIDO_DECISION_ON: nan must lie between 0 and 1"),
        ("OIDO_MODEL_MODE", "b", "OIDO_MODEL_MODE: 'b' is not one of 'balanced', 'precision', 'recall'"),
        ("OIDO_NODE_NAME", "a/b", "OIDO_NODE_NAME: 'a/b' becomes part of a topic"),
    ],
)
def test_a_wrong_override_is_named(folder: Path, variable: str, value: str, expected: str) -> None:
    """The variable, not the file, is what has to be corrected."""
    assert sentence(folder, "", **{variable: value}).startswith(expected)


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("OIDO_MQTT_HSOT", "OIDO_MQTT_HSOT: unknown variable; did you mean 'OIDO_MQTT_HOST'?"),
        ("OIDO_MODEL_MOD", "OIDO_MODEL_MOD: unknown variable; did you mean 'OIDO_MODEL_MODE'?"),
        ("OIDO_SOURCE_NAME", "OIDO_SOURCE_NAME: unknown variable; did you mean "),
    ],
)
def test_an_unknown_variable_is_named(folder: Path, variable: str, expected: str) -> None:
    """With the nearest that there is, as an unknown key is."""
    assert sentence(folder, "", **{variable: "x"}).startswith(expected)


def test_variables_of_others_are_left_alone(folder: Path) -> None:
    """The workstation's own, and those of programs whose name begins alike."""
    assert read(folder, "", OIDO_CORPUS="/corpus", OIDOS="x", oido_mqtt_hsot="x").mqtt.host is None


def test_a_byte_order_mark_is_no_part_of_the_configuration(folder: Path) -> None:
    """Editors of Windows begin a file with it."""
    assert read(folder, "\ufeff[node]\nname = 'cellar'").node.name == "cellar"


@pytest.mark.parametrize(
    ("source", "limit_s"),
    [
        (SourceConfig(), 2.0),
        (SourceConfig(kind="stream", url="x"), 30.0),
        (SourceConfig(kind="stream", url="x", retry_longest_s=5.0), 5.0),
    ],
)
def test_a_lost_source_is_looked_for_as_often_as_is_fair(source: SourceConfig, limit_s: float) -> None:
    """A microphone is our own; a stream is somebody's server."""
    assert source.retry_limit_s == limit_s


def test_metrics_are_off_unless_a_port_is_set(folder: Path) -> None:
    """And then only this machine can read them."""
    assert read(folder, "").metrics.port is None
    metrics = read(folder, "[metrics]\nport = 9273").metrics
    assert (metrics.host, metrics.port) == ("127.0.0.1", 9273)


@pytest.mark.parametrize(
    ("source", "limit_s"),
    [
        (SourceConfig(), 5.0),
        (SourceConfig(kind="stream", url="x"), math.inf),
        (SourceConfig(flat_line_s=0.0), math.inf),
        (SourceConfig(kind="file", path="x", flat_line_s=7.0), 7.0),
    ],
)
def test_a_flat_line_counts_where_silence_is_not_legitimate(source: SourceConfig, limit_s: float) -> None:
    """Microphones by default, others when told."""
    assert source.flat_line_limit_s == limit_s


keys = st.sampled_from(
    ["node", "source", "model", "decision", "mqtt", "log", "name", "kind", "on", "port", "tls", "stall_s", "x"]
)
values: st.SearchStrategy[Any] = st.recursive(
    st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.just(10**400)
    | st.floats()
    | st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=8)
    | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)


def read_or_error(folder: Path, text: str | bytes) -> Config | ConfigurationError:
    """The only two outcomes there may be."""
    try:
        return read(folder, text)
    except ConfigurationError as error:
        return error


def toml(value: Any) -> str:
    """An inline TOML value."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{key} = {toml(inner)}' for key, inner in value.items())}}}"
        case int() | float():
            return repr(value)
        case _:
            return str(value.isoformat())


@given(table=st.dictionaries(keys, values, max_size=4))
def test_any_table_is_read_or_refused(folder: Path, table: dict[str, Any]) -> None:
    """Whatever stands where, the outcome is a Config or a ConfigurationError."""
    found = read_or_error(folder, "\n".join(f"{k} = {toml(v)}" for k, v in table.items()))
    assert isinstance(found, Config) or "not valid TOML" not in str(found)


@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(folder: Path, content: bytes) -> None:
    """Also those that are no TOML."""
    found = read_or_error(folder, content)
    assert isinstance(found, Config) or str(found).startswith(str(folder))


@pytest.mark.parametrize("text", ["[mqtt]\nport = 0xVALUE", "[mqtt]\nhost = 0xVALUE", "[log]\nlevel = 0xVALUE"])
def test_a_number_that_python_does_not_write_out_is_refused(folder: Path, text: str) -> None:
    """A hexadecimal number of thousands of digits is an error in one sentence like any other."""
    assert "what it is set to" in sentence(folder, text.replace("VALUE", "f" * 5_000))


@pytest.mark.parametrize("text", ["a\\u0000b", "x" * 4_097])
@pytest.mark.parametrize("key", ["mqtt]\nhost", "mqtt]\nca_file", "node]\nstate_dir", "model]\ndirectory"])
def test_text_that_nothing_can_hold_is_refused(folder: Path, key: str, text: str) -> None:
    """Neither a file name nor a field of MQTT holds a NUL or has no end."""
    assert "text of at most 4096 characters" in sentence(folder, f'[{key} = "{text}"')
