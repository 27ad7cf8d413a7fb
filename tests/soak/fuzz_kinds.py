"""What the fuzzer feeds, kind by kind: how an input is made of valid samples, and how the product must take it.

Every kind goes through the product's own entry and must end in a result or in the error that its documentation
names. `Case.files` is all that an input is: written to a folder of its own, it can be fed again.
"""

import contextlib
import hashlib
import io
import json
import logging
import os
import random
import re
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from hearing_fakes import RecordingPublisher, noise
from jsonschema import Draft202012Validator
from network_fakes import TINY_MODELS
from soak.mutation import (
    json_text,
    mutated_bytes,
    mutated_text,
    mutated_value,
    mutated_words,
    odd_text,
    odd_value,
    toml_value,
)

from device import cli
from device.configuration.settings import Config, DecisionConfig, ModelConfig, MqttConfig, SourceConfig, load
from device.daemon.listener import Listener
from device.daemon.reload import changes
from device.errors import ConfigurationError, ModelError, OidoError, SourceError
from device.hearing.classifier import Classifier
from device.hearing.decision import Decision
from device.hearing.models.loading import installed_model, load_model
from device.hearing.patch_cutter import FIRST_PATCH_SAMPLES
from device.hearing.rules import rules
from device.pipeline import listen
from device.publishing.command import CommandError, parse_command
from device.publishing.credentials import read_credentials
from device.publishing.discovery import discoveries
from device.publishing.message import event_id, event_message
from device.publishing.payloads import DeviceInfo, EventReport
from device.publishing.session import Session
from device.sound import Block
from device.sources.decoding import AudioFile
from device.sources.recording import Recording
from device.storage.history import FILE as HISTORY_FILE
from device.storage.history import History, Interval
from device.storage.sqlite_outbox import SqliteOutbox

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "device" / "publishing" / "schemas"
YAMNET = ROOT.parent / "shared" / "weights" / "yamnet.tflite"
_YAMNET_SAMPLES = 15_600

_ANSWER_S = 10.0
"""A command that has no answer after so long has none."""


class Wrong(AssertionError):  # noqa: N818 - what the product did
    """The product took an input in a way that it must not."""


@dataclass(frozen=True, slots=True)
class Case:
    """One input."""

    kind: str
    files: dict[str, bytes] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    """A command line, or what else the kind needs; `{}` stands for the folder."""


class Caught(logging.Handler):
    """Every record that was logged; one with a traceback is a defect."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.tracebacks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Format it, as the real handler would."""
        text = self.format(record)
        if record.exc_info and record.levelno > logging.DEBUG:
            self.tracebacks.append(text)


class PulledSource:
    """A live source that gives a second of noise whenever a command was sent; it lasts until closed."""

    name = "fuzz"

    def __init__(self, pulse: threading.Semaphore) -> None:
        self._pulse = pulse
        self._closed = False
        self._sound = noise(1.0)

    def blocks(self) -> Iterator[Block]:
        """Yield them."""
        start = 0
        while not self._closed:
            if self._pulse.acquire(timeout=0.05):
                yield Block(samples=self._sound, start=start)
                start += len(self._sound)

    def close(self) -> None:
        """End them."""
        self._closed = True


class Kinds:
    """All kinds, with the samples they start from.

    Args:
        samples: a folder that `make_samples` has filled.
        folder: where inputs are written to; emptied before each.
    """

    def __init__(self, samples: Path, folder: Path) -> None:
        self._folder = folder
        self._samples = {path.name: path.read_bytes() for path in sorted(samples.iterdir())}
        self._audio = [name for name in self._samples if name.startswith("audio.")]
        self._sidecar = json.loads(self._samples["logistic.json"])
        schema = json.loads((SCHEMAS / "response.json").read_text(encoding="utf-8"))
        self._response = Draft202012Validator(schema)
        self._listener: Listener | None = None
        self._publisher = RecordingPublisher()
        self._pulse = threading.Semaphore(0)
        self._caught = Caught()
        self._handlers = list(logging.getLogger().handlers)
        logging.getLogger().handlers[:] = [self._caught]

    def make(self, kind: str, draw: random.Random) -> Case:
        """An input of this kind: the same one for the same random numbers."""
        maker: Callable[[random.Random], Case] = getattr(self, f"_make_{kind}")
        return maker(draw)

    def feed(self, case: Case) -> str:
        """Let the product take it; what came of it: `done`, or the error's name.

        Raises:
            Wrong: not as it should be. Any other exception is a defect too.
        """
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        for name, content in case.files.items():
            (self._folder / name).write_bytes(content)
        self._caught.tracebacks.clear()
        feeder: Callable[[Case], str] = getattr(self, f"_feed_{case.kind}")
        outcome = feeder(case)
        if self._caught.tracebacks:
            raise Wrong("a traceback was logged: " + self._caught.tracebacks[0])
        return outcome

    def close(self) -> None:
        """End the listener; what is logged goes where it went before."""
        logging.getLogger().handlers[:] = self._handlers
        if self._listener is not None:
            self._listener.stop()
            self._listener.join(5)

    # the fuzzer itself

    def _make_trial(self, draw: random.Random) -> Case:
        return Case(
            "trial", {"input": draw.randbytes(8)}, (draw.choice(("good", "good", "crash", "hang", "raise")),)
        )

    def _feed_trial(self, case: Case) -> str:
        match case.words:
            case ["crash"]:
                os.abort()
            case ["hang"]:
                time.sleep(3_600)
            case ["raise"]:
                raise ZeroDivisionError
        return "done"

    # configuration

    def _make_config(self, draw: random.Random) -> Case:
        return Case("config", {"config.toml": self._config(draw)})

    def _config(self, draw: random.Random) -> bytes:
        if draw.random() < 0.1:
            return draw.randbytes(draw.randint(0, 400))
        name = draw.choice(("config.example.toml", "config.full.toml", "config.full.toml"))
        text = mutated_text(draw, self._samples[name].decode())
        data = text.encode("utf-8", "surrogatepass")
        return mutated_bytes(draw, data, most=3) if draw.random() < 0.3 else data

    def _feed_config(self, case: Case) -> str:
        del case
        try:
            config = load(self._folder / "config.toml", {})
        except ConfigurationError as error:
            code, errors = self._command_line(Case("config", {}, ("history", "-c", "{}/config.toml")))
            _expect(code, errors, {2})
            return _sentence(error)
        self._use(config)
        return "done"

    def _use(self, config: Config) -> None:
        """What the daemon makes of settings before it opens anything."""
        changes(Config(), config)
        try:
            model = load_model(config.model.name, directory=config.model.directory, runtime=config.model.runtime)
            rules(config.decision, model, config.model.mode)
        except ModelError as error:
            _sentence(error)
        if config.mqtt.host:
            try:
                Session(config.mqtt, read_credentials(config.mqtt, {}), client_id="fuzz", will=None)
            except ConfigurationError as error:
                _sentence(error)
        info = DeviceInfo(version="1", model="m", model_sha256="0" * 64, hardware="h", python="3")
        for message in discoveries(config, info):
            json.loads(message.payload)
        for source in config.source:
            if source.path and not source.path.startswith("/dev"):
                try:
                    AudioFile(Path(source.path)).sample_rate_hz()
                except SourceError as error:
                    _sentence(error)

    def _make_environment(self, draw: random.Random) -> Case:
        sections = {"node": "name", "model": "mode", "decision": "on", "mqtt": "port", "log": "level"}
        sections |= {"metrics": "port", "history": "retention_days", "homeassistant": "enabled"}
        found = {}
        for section, key in draw.sample(sorted(sections.items()), draw.choice((1, 1, 3))):
            valid = draw.choice(("fuzz", "0.4", "recall", "8080", "info", "9", "true"))
            value = draw.choice((odd_text(draw), toml_value(draw), str(odd_value(draw)), valid, valid))
            found[f"OIDO_{section}_{key}".upper()] = value
        return Case("environment", {"environment.json": json.dumps(found).encode()})

    def _feed_environment(self, case: Case) -> str:
        try:
            load(None, json.loads(case.files["environment.json"]))
        except ConfigurationError as error:
            return _sentence(error)
        return "done"

    # commands

    def _make_command(self, draw: random.Random) -> Case:
        return Case("command", {"payload": self._command(draw)})

    def _command(self, draw: random.Random) -> bytes:
        if draw.random() < 0.1:
            return draw.randbytes(draw.randint(0, 200))
        valid = {
            "paused": draw.random() < 0.5,
            "mode": draw.choice(("balanced", "precision", "recall")),
            "model": draw.choice(("logistic", "fuzz", "../logistic")),
            "log_level": draw.choice(("debug", "info", "warning", "error")),
            "transaction": "t-1",
        }
        if draw.random() < 0.1:
            name = draw.choice([name for name in self._samples if name.startswith("payload.")])
            return json_text(draw, mutated_value(draw, json.loads(self._samples[name])))
        value: Any = {key: valid[key] for key in draw.sample(sorted(valid), draw.randint(0, len(valid)))}
        return json_text(draw, mutated_value(draw, value) if draw.random() < 0.8 else value)

    def _feed_command(self, case: Case) -> str:
        try:
            parse_command(case.files["payload"])
        except CommandError as error:
            return _sentence(error)
        return "done"

    def _make_listener(self, draw: random.Random) -> Case:
        return Case("listener", {"payload": self._command(draw)})

    def _feed_listener(self, case: Case) -> str:
        """Every payload gets exactly one response, valid, that says `ok` as the parser does."""
        listener = self._started()
        payload = case.files["payload"]
        self._publisher.messages.clear()
        listener.command(payload)
        self._pulse.release()
        if not self._publisher.wait_for("response", "{"):
            raise Wrong("no response" if listener.alive else f"the listener ended: {listener.error}")
        response = json.loads(self._publisher.payloads("response")[0])
        errors = [error.message for error in self._response.iter_errors(response)]
        if errors:
            raise Wrong(f"the response breaks its schema: {errors[0]}")
        try:
            command = parse_command(payload)
        except CommandError:
            if response["ok"]:
                raise Wrong("what is no command was obeyed") from None
            return "CommandError"
        known = command.model in (None, "logistic")
        if response["ok"] != known or response["transaction"] != command.transaction:
            raise Wrong(f"answered {response}")
        return "done" if known else "ModelError"

    def _started(self) -> Listener:
        if self._listener is None:
            self._listener = Listener(
                SourceConfig(name="fuzz", stall_s=60),
                config=Config(mqtt=MqttConfig(state_interval_s=3_600, telemetry_interval_s=86_400)),
                open_source=lambda: PulledSource(self._pulse),
                model=load_model("logistic"),
                publisher=self._publisher,
                change_model=lambda name: installed_model(name, ModelConfig()),
            )
            self._listener.start()
        return self._listener

    # models

    def _make_sidecar(self, draw: random.Random) -> Case:
        if draw.random() < 0.05:
            sidecar = draw.randbytes(draw.randint(0, 400))
        else:
            value = self._sidecar
            for _ in range(draw.choice((1, 1, 1, 2, 4))):
                value = mutated_value(draw, value)
            sidecar = json_text(draw, value)
        return Case("sidecar", {"fuzz.json": sidecar, "logistic.onnx": self._samples["logistic.onnx"]})

    def _feed_sidecar(self, case: Case) -> str:
        del case
        return self._hear("fuzz.json")

    def _make_network(self, draw: random.Random) -> Case:
        """A segment model and its embedder, one of the two described wrongly."""
        files = {path.name: path.read_bytes() for path in sorted(TINY_MODELS.iterdir())}
        name = draw.choice(("embedder.json", "attention.json"))
        value = json.loads(files[name])
        for _ in range(draw.choice((1, 1, 1, 2, 4))):
            value = mutated_value(draw, value)
        files[name] = json_text(draw, value)
        return Case("network", files)

    def _feed_network(self, case: Case) -> str:
        del case
        return self._hear("attention.json")

    def _make_onnx(self, draw: random.Random) -> Case:
        content = self._samples["logistic.onnx"]
        if draw.random() < 0.05:
            content = draw.randbytes(draw.randint(0, 400))
        else:
            content = mutated_bytes(draw, content, most=draw.choice((1, 2, 8)))
        sha256 = hashlib.sha256(content).hexdigest()
        sidecar = self._sidecar | {"file": "fuzz.onnx", "sha256": sha256}
        return Case("onnx", {"fuzz.json": json.dumps(sidecar).encode(), "fuzz.onnx": content})

    def _feed_onnx(self, case: Case) -> str:
        del case
        return self._hear("fuzz.json")

    def _hear(self, name: str) -> str:
        """As the daemon does with a model that it was configured to use: load it and hear a patch."""
        try:
            model = load_model(str(self._folder / name))
            rule = rules(DecisionConfig(), model, "balanced")
            score = Classifier(model).answer(noise(FIRST_PATCH_SAMPLES / 16_000))
        except ModelError as error:
            return _sentence(error)
        if not 0 <= score.probability <= 1:
            raise Wrong(f"{score.probability} is no probability")
        Decision(rule).update(score)
        return "done"

    def _make_tflite(self, draw: random.Random) -> Case:
        content = self._samples["yamnet.tflite"]
        # The graph stands at the ends of the file; what lies between is weights.
        if draw.random() < 0.5:
            content = mutated_bytes(draw, content, within=draw.choice((64, 1_000, 20_000)))
        else:
            tail = draw.choice((1_000, 20_000, 60_000))
            content = content[:-tail] + mutated_bytes(draw, content[-tail:])
        labels = [f"label {number}" for number in range(521)]
        labels[132] = "music"
        sidecar = self._sidecar | {
            "file": "fuzz.tflite",
            "sha256": hashlib.sha256(content).hexdigest(),
            "output": {"name": "", "labels": labels},
        }
        return Case("tflite", {"fuzz.json": json.dumps(sidecar).encode(), "fuzz.tflite": content})

    def _feed_tflite(self, case: Case) -> str:
        del case
        try:
            model = load_model(str(self._folder / "fuzz.json"))
            model.probability(np.zeros((1, _YAMNET_SAMPLES), np.float32))
        except ModelError as error:
            return _sentence(error)
        return "done"

    # sound

    def _make_audio(self, draw: random.Random) -> Case:
        return Case("audio", {"sound": self._sound(draw)})

    def _sound(self, draw: random.Random) -> bytes:
        content = self._samples[draw.choice(self._audio)]
        if draw.random() < 0.05:
            return draw.randbytes(draw.randint(0, 2_000))
        if draw.random() < 0.05:
            return content[:12] + draw.randbytes(draw.randint(0, 2_000))
        return mutated_bytes(draw, content, within=draw.choice((48, 128, 512, None)))

    def _feed_audio(self, case: Case) -> str:
        del case
        recording = Recording(self._folder / "sound", name="fuzz", block_s=2.0)
        outcome = "done"
        with contextlib.suppress(SourceError):
            AudioFile(self._folder / "sound").sample_rate_hz()
        try:
            for block in recording.blocks():
                if not np.all(np.abs(block.samples) <= 1):
                    raise Wrong("samples beyond 1")
        except SourceError as error:
            outcome = _sentence(error)
        _ = recording.part
        return outcome

    def _make_classify(self, draw: random.Random) -> Case:
        files = {"sound": self._sound(draw), "good.wav": self._samples["audio.wav"]}
        words = ["classify", "{}/sound"]
        if draw.random() < 0.3:
            files["config.toml"] = self._config(draw)
            words += ["-c", "{}/config.toml"]
        known = ("--summary", "--csv", "--jobs", "1", "--model", "--mode", "recall", "{}/good.wav", "-c", "{}")
        if draw.random() < 0.5:
            words = ["classify", *mutated_words(draw, words[1:], known)]
            # A word of slashes alone is the root folder, and all of this machine's recordings would be heard.
            words = [f"{word}x" if word and not word.strip("/") else word for word in words]
        return Case("classify", files, tuple(_side_by_side(words)))

    def _feed_classify(self, case: Case) -> str:
        code, errors = self._command_line(case)
        plain = case.words in (("classify", "{}/sound"), ("classify", "{}/sound", "-c", "{}/config.toml"))
        _expect(code, errors, {self._expected_code(configured="-c" in case.words)} if plain else {0, 1, 2})
        return f"exit {code}"

    def _expected_code(self, *, configured: bool) -> int:
        """What `oido classify` must end with, from what its parts say."""
        try:
            config = load(self._folder / "config.toml" if configured else None)
            model = load_model(config.model.name, directory=config.model.directory, runtime=config.model.runtime)
            recording = Recording(self._folder / "sound", name="fuzz", block_s=2.0)
            rule = rules(config.decision, model, config.model.mode)
            for _ in listen(recording, Classifier(model), Decision(rule)):
                pass
        except OidoError as error:
            return error.exit_code
        return 0

    def _command_line(self, case: Case) -> tuple[int, str]:
        words = [word.replace("{}", str(self._folder)) for word in case.words]
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        errors = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            try:
                code = cli.main(words)
            except SystemExit as end:  # argparse
                code = end.code if isinstance(end.code, int) else 1
        return code, errors.getvalue()

    # what is on disk

    def _make_history(self, draw: random.Random) -> Case:
        known = ("--since", "--until", "--daily", "--csv", "--json", "--source", "fuzz", "-c", "{}/config.toml")
        words = ["--state-dir", "{}", *draw.choice(([], ["--daily"], ["--json"], ["--csv"]))]
        return Case(
            "history",
            {HISTORY_FILE: self._samples["history.db"], "config.toml": self._config(draw)},
            ("history", *mutated_words(draw, words, known)),
        )

    def _feed_history(self, case: Case) -> str:
        code, errors = self._command_line(case)
        _expect(code, errors, {0, 1, 2})
        return f"exit {code}"

    def _make_historydb(self, draw: random.Random) -> Case:
        form = draw.choice((["--daily"], ["--json"], ["--csv"], []))
        return Case(
            "historydb",
            {HISTORY_FILE: self._database(draw, "history.db", "interval")},
            ("history", "--state-dir", "{}", *form),
        )

    def _feed_historydb(self, case: Case) -> str:
        """`oido history` reads it or says that it cannot; the daemon goes on with it or begins anew."""
        code, errors = self._command_line(case)
        _expect(code, errors, {0, 1})
        history = History(self._folder / HISTORY_FILE, retention_days=400)
        history.add(Interval(id="n", source="s", started=2e9, ended=2e9 + 60, peak=1, mean=1, model="m"))
        history.close()
        words = ("history", "--state-dir", "{}", "--json", "--until", "2040-01-01")
        again, errors = self._command_line(Case("history", {}, words))
        _expect(again, errors, {0, 1})
        return f"exit {code}, then {again}"

    def _make_outbox(self, draw: random.Random) -> Case:
        return Case("outbox", {"outbox.db": self._database(draw, "outbox.db", "event", "started")})

    def _feed_outbox(self, case: Case) -> str:
        """What the daemon does at its start; a new event is kept and comes back, whatever was there."""
        del case
        path = self._folder / "outbox.db"
        before = path.read_bytes()
        outbox = SqliteOutbox(path, 50)
        for opened in outbox.open_events():
            outbox.close_event(opened, opened.noted)
        message = event_message("oido/n/s/event", _report(7))
        outbox.add(message)
        outbox.acknowledge(next(key for key, _ in outbox.pending()))
        outbox.add(message)
        outbox.close()
        again = SqliteOutbox(path, 50)
        kept = [waiting for _, waiting in again.pending()]
        again.close()
        if _format(before) > _format(self._samples["outbox.db"]) and path.read_bytes() == before:
            return "of a newer oido: left alone"
        if not outbox.lasting or kept[-1:] != [replace(message, report=None)]:
            raise Wrong("an event was not kept")
        return "set aside" if list(self._folder.glob("*.damaged-*")) else "done"

    def _database(self, draw: random.Random, name: str, *tables: str) -> bytes:
        """Damaged bytes, or a sound file with values that nobody wrote."""
        content = self._samples[name]
        if draw.random() < 0.5:
            return mutated_bytes(draw, content, within=draw.choice((100, 4_096, None)))
        connection = sqlite3.connect(":memory:", isolation_level=None)
        try:
            connection.deserialize(content)
            for _ in range(draw.randint(1, 3)):
                # A second change may find nothing left of its table, or a value that is no JSON any more.
                with contextlib.suppress(sqlite3.Error, LookupError, ValueError, TypeError, OverflowError):
                    self._spoil(draw, connection, draw.choice(tables))
            return connection.serialize()
        finally:
            connection.close()

    def _spoil(self, draw: random.Random, connection: sqlite3.Connection, table: str) -> None:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        column = draw.choice(columns[1:])
        row = connection.execute(f"SELECT rowid, {column} FROM {table} ORDER BY random()").fetchall()  # noqa: S608 - ours
        chosen, old = draw.choice(sorted(row, key=lambda each: each[0]))
        value = odd_value(draw)
        if column == "payload":
            value = json_text(draw, mutated_value(draw, json.loads(old))).decode("utf-8", "replace")
        elif isinstance(value, str):
            value = draw.choice(
                (value.encode("utf-8", "replace").decode(), value.encode("utf-8", "surrogatepass"))
            )
        elif isinstance(value, list | dict):
            value = json.dumps(value)
        match draw.randrange(12):
            case 0:
                connection.execute(f"DROP TABLE {table}")
            case 1:
                connection.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO other")
            case 2:
                connection.execute(f"PRAGMA user_version={draw.choice((0, 2, 99))}")
            case _:
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, chosen))  # noqa: S608 - ours


def make_samples(folder: Path) -> None:
    """Write everything valid that inputs are made of."""
    import soundfile  # noqa: PLC0415 - the watching process needs it here only

    folder.mkdir(parents=True, exist_ok=True)
    for name in ("logistic.json", "logistic.onnx"):
        shutil.copy(ROOT / "models" / name, folder / name)
    if YAMNET.exists():
        shutil.copy(YAMNET, folder / "yamnet.tflite")
    example = (ROOT / "systemd" / "config.example.toml").read_text(encoding="utf-8")
    (folder / "config.example.toml").write_text(example, encoding="utf-8")
    full = re.sub(r"(?m)^# (?=\w+ = )", "", example)
    (folder / "config.full.toml").write_text(full, encoding="utf-8")
    sound = noise(0.3)
    stereo = np.stack((sound, -sound), axis=1)
    for end, rate_hz, form, subtype, frames in (
        ("wav", 16_000, "WAV", "PCM_16", sound),
        ("float.wav", 44_100, "WAV", "FLOAT", stereo),
        ("24.wav", 48_000, "WAVEX", "PCM_24", stereo),
        ("ima.wav", 16_000, "WAV", "IMA_ADPCM", sound),
        ("ms.wav", 16_000, "WAV", "MS_ADPCM", stereo),
        ("gsm.wav", 8_000, "WAV", "GSM610", sound),
        ("ulaw.au", 8_000, "AU", "ULAW", sound),
        ("aiff", 22_050, "AIFF", "PCM_16", sound),
        ("caf", 16_000, "CAF", "ALAC_16", sound),
        ("w64", 16_000, "W64", "PCM_16", sound),
        ("rf64", 16_000, "RF64", "PCM_16", sound),
        ("flac", 16_000, "FLAC", "PCM_16", sound),
        ("ogg", 16_000, "OGG", "VORBIS", sound),
        ("opus", 16_000, "OGG", "OPUS", sound),
        ("mp3", 16_000, "MP3", "MPEG_LAYER_III", np.tile(sound, 3)),
    ):
        soundfile.write(folder / f"audio.{end}", frames, rate_hz, format=form, subtype=subtype)
    for schema in SCHEMAS.glob("*.json"):
        for number, example_payload in enumerate(
            json.loads(schema.read_text(encoding="utf-8")).get("examples", ())
        ):
            path = folder / f"payload.{schema.stem}.{number}"
            path.write_text(json.dumps(example_payload), encoding="utf-8")
    (folder / "payload.event").write_text(event_message("oido/n/s/event", _report(0)).payload, encoding="utf-8")
    outbox = SqliteOutbox(folder / "outbox.db", 100)
    for number in range(12):
        outbox.add(event_message("oido/n/s/event", _report(number)))
    outbox.close()
    history = History(folder / "history.db", retention_days=400)
    for number in range(12):
        begin = 1.7e9 + number * 40_000
        history.add(
            Interval(
                id=f"i{number}", source="s", started=begin, ended=begin + 600, peak=0.9, mean=0.8, model="logistic"
            )
        )
    history.close()
    for name in ("outbox.db", "history.db"):
        connection = sqlite3.connect(folder / name)
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.close()


def _report(number: int) -> EventReport:
    started = 1.7e9 + number * 100
    return EventReport(
        event_type="music_started",
        id=event_id("n", "s", started),
        started=started,
        ended=None,
        duration_s=None,
        peak=0.9,
        mean=0.8,
        node="n",
        source="s",
        model="logistic",
    )


def _side_by_side(words: list[str]) -> Iterator[str]:
    """Without more processes than one: they would load everything anew for each input."""
    for before, word in zip(["", *words], words, strict=False):
        yield "1" if before == "--jobs" and word.strip().lstrip("+").isdigit() and int(word) > 1 else word


def _sentence(error: Exception) -> str:
    if not str(error).strip():
        raise Wrong(f"{error!r} says nothing")
    return type(error).__name__


def _format(database: bytes) -> int:
    """The user_version in the header of a SQLite file (sqlite.org/fileformat.html, 1.3)."""
    return int.from_bytes(database[60:64], "big")


def _expect(code: int, errors: str, allowed: set[int]) -> None:
    if code not in allowed:
        raise Wrong(f"exit code {code}: {errors[-300:]}")
    if "Traceback" in errors:
        raise Wrong(errors)
    if (code != 0) != ("error: " in errors):
        raise Wrong(f"exit code {code}, but standard error holds {errors[-300:]!r}")
