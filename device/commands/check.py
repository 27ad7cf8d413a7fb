"""`oido check`: configuration, model, sources, broker, clock, disk; each line says ok or what to do."""

import argparse
import sqlite3
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from device.commands.options import add_config, add_model, configuration
from device.commands.surroundings import disk, judge_clock
from device.configuration.settings import Config, MqttConfig, SourceConfig
from device.errors import ModelError, OidoError, SourceError
from device.hearing.classifier import Classifier
from device.hearing.front_end.transforms import fastest
from device.hearing.health import HealthMeter
from device.hearing.models.loading import Model, SegmentModel, configured_model
from device.hearing.rules import rules
from device.masking import masked
from device.publishing.ledger import retained_topics
from device.sound import SAMPLE_RATE
from device.sources.base import Source
from device.sources.decoding import AudioFile
from device.sources.opening import open_source
from device.storage.clock import is_synchronised
from device.storage.ledger import read_ledger
from device.storage.sqlite_outbox import refused_topics, resend
from device.storage.state import LEDGER_FILE, OUTBOX_FILE, directory_to_look_at

LISTEN_S = 2.0
"""How long a microphone or a stream is listened to."""

VERY_QUIET_DBFS = -65.0
"""Below this even a quiet room's microphone is probably muted, or not the one meant."""

OFTEN_CLIPPED = 0.001


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the output."""

    what: str
    ok: bool
    text: str
    """What was found; if it is not ok, also what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `check`."""
    add_config(parser)
    add_model(parser)
    forgetting = parser.add_mutually_exclusive_group()
    forgetting.add_argument(
        "--resend",
        action="store_true",
        help="check nothing; send the events again that the broker has refused, once it takes them",
    )
    forgetting.add_argument(
        "--forget",
        action="store_true",
        help="check nothing; clear everything that the broker retains of this device",
    )
    forgetting.add_argument(
        "--forget-discovery",
        action="store_true",
        help="check nothing; remove this device from Home Assistant's discovery at the broker",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print every finding; 1 if any is not ok. A configuration that cannot be read is wrong use: 2."""
    config = configuration(arguments)
    if arguments.resend:
        return print_findings(resend_events(config), sys.stdout)
    if arguments.forget:
        return print_findings(forget(config), sys.stdout)
    if arguments.forget_discovery:
        return print_findings(forget_discovery(config), sys.stdout)
    found = findings(
        config,
        open_source=open_source,
        try_broker=lambda _: _try_broker(config),
        find_retained=lambda known: _retained_by(config, known),
    )
    return print_findings(found, sys.stdout)


def print_findings(found: Iterator[Finding], stream: TextIO) -> int:
    """Print each finding as it is made; returns the exit code."""
    code = 0
    for finding in found:
        stream.write(masked(f"{'ok  ' if finding.ok else 'FAIL'} {finding.what}: {finding.text}\n"))
        stream.flush()
        code = code or int(not finding.ok)
    return code


def resend_events(config: Config) -> Iterator[Finding]:
    """Let the events that the broker has refused wait again."""
    outbox = directory_to_look_at(config) / OUTBOX_FILE
    try:
        count, why = resend(outbox) if outbox.exists() else (0, "")
    except (sqlite3.Error, OSError) as error:
        yield Finding("events", ok=False, text=f"{outbox} cannot be written: {error}; sudo oido check --resend")
        return
    when = "a running oido sends them within 10 s, otherwise the next one does"
    text = f"{count} that the broker refused ({why}) wait again; {when}" if count else "none was refused"
    yield Finding("events", ok=True, text=text)


def _refused_events(config: Config) -> Finding:
    outbox = directory_to_look_at(config) / OUTBOX_FILE
    try:
        refused = refused_topics(outbox) if outbox.exists() else {}
    except (sqlite3.Error, OSError) as error:
        return Finding("events", ok=False, text=f"{outbox} cannot be read: {error}")
    named = "; ".join(f"{count} for {topic} ({reason})" for topic, (count, reason) in refused.items())
    text = f"refused by the broker: {named}; mend the broker's access list or limits, then oido check --resend"
    return Finding("events", ok=not refused, text=text if refused else "none was refused")


def forget(config: Config) -> Iterator[Finding]:
    """Clear everything that the broker retains of this device, and say what that was.

    Raises:
        ConfigurationError: no broker is configured.
        PublishError: the broker cannot be reached, or does not allow it.
    """
    from device.publishing.forgetting import clear  # noqa: PLC0415 - paho only where there is a broker

    known = _known(config)
    found = _retained_by(config, known)
    must_run = (
        "must be running and connected to this broker now; otherwise it keeps the devices, and they have to be "
        "deleted there by hand"
    )
    yield Finding("Home Assistant", ok=True, text=must_run)
    # Also what was not found: the access list may let this device write it and not read it.
    clear(config.mqtt, {*found, *known, *retained_topics(config)})
    for topic in found:
        yield Finding("broker", ok=True, text=f"cleared {topic}")
    if not found:
        yield Finding("broker", ok=True, text=f"nothing of {config.node.name!r} is retained there")
    else:
        yield Finding("broker", ok=True, text="a running `oido run` says it again; stop it before you forget it")


def forget_discovery(config: Config) -> Iterator[Finding]:
    """Remove every retained discovery message of this device, and say which.

    Raises:
        ConfigurationError: no broker is configured.
        PublishError: the broker cannot be reached, or does not allow it.
    """
    from device.publishing.forgetting import clear, retained_discovery  # noqa: PLC0415 - the same

    removed = retained_discovery(config)
    clear(config.mqtt, removed)
    for topic in removed:
        yield Finding("Home Assistant", ok=True, text=f"removed {topic}")
    if not removed:
        where = f"nothing of {config.node.name!r} stands under {config.homeassistant.discovery_prefix!r}"
        yield Finding("Home Assistant", ok=True, text=where)
    elif config.homeassistant.enabled:
        again = "a running `oido run` sends it again at its next connection; set [homeassistant] enabled = false"
        yield Finding("Home Assistant", ok=True, text=again)


def findings(
    config: Config,
    *,
    open_source: Callable[[SourceConfig], Source],
    try_broker: Callable[[MqttConfig], str | None],
    find_retained: Callable[[Collection[str]], Collection[str]],
) -> Iterator[Finding]:
    """Check everything that `oido run` needs.

    Args:
        config: what to check.
        open_source: makes a source of its section.
        try_broker: returns None if the broker does all that the daemon needs, otherwise one sentence why not.
        find_retained: returns which topics of this device the broker retains, those of the ledger included.
    """
    yield Finding("configuration", ok=True, text=f"node {config.node.name!r}, {len(config.source)} source(s)")
    try:
        model = configured_model(config.model)
        yield Finding("model", ok=True, text=_describe(config, model))
    except ModelError as error:
        yield Finding("model", ok=False, text=str(error))
    yield front_end(fastest().name)
    for section in config.source:
        yield _source(section, open_source)
    broker = _broker(config.mqtt, try_broker)
    yield broker
    if config.mqtt.host and broker.ok:
        yield _left_behind(config, find_retained)
    if config.mqtt.host:
        yield _refused_events(config)
    yield Finding("clock", *judge_clock(time.time(), synchronised=is_synchronised()))
    yield Finding("disk", *disk(config))


def front_end(transform: str) -> Finding:
    """Which transform computes the spectra."""
    slower = ", which takes twice the time of compiled code; apt install gcc, then install oido again"
    return Finding("front end", ok=True, text=transform + slower * (transform == "numpy"))


def _describe(config: Config, model: Model) -> str:
    rule = rules(config.decision, model, config.model.mode)
    classifier = Classifier(model)
    # Not `window_s`: the worst case is a change that shows only when nothing older has a part in the answer.
    on_s, off_s = rule.worst_case_delay_s(window_s=classifier.context_s, hop_s=classifier.hop_s)
    parts = [model, model.embedder] if isinstance(model, SegmentModel) else [model]
    named = " with ".join(f"{part.sidecar.name} ({part.sidecar.sha256[:12]})" for part in parts)
    return (
        f"{named} on {model.runtime.description}; {config.model.mode}: "
        f"on from {rule.on:.2f} for {rule.min_on_s:g} s, off below {rule.off:.2f} for {rule.min_off_s:g} s; "
        f"a start shows after at most {on_s:.1f} s, a stop after at most {off_s:.1f} s"
    )


def _source(section: SourceConfig, open_source: Callable[[SourceConfig], Source]) -> Finding:
    what = f"source {section.name!r}"
    try:
        match section.kind:
            case "microphone":
                return _microphone(what, open_source(section))
            case "file":
                rate_hz = AudioFile(Path(section.path or "")).sample_rate_hz()
                return Finding(what, ok=True, text=f"{section.path}: {rate_hz} Hz")
            case "stdin":
                return Finding(what, ok=True, text="standard input is read when it runs")
            case "stream":
                return _stream(what, open_source(section))
    except SourceError as error:
        return Finding(what, ok=False, text=str(error))


@dataclass(frozen=True, slots=True)
class _Level:
    """How loud a source was for `LISTEN_S`."""

    loudest_dbfs: float
    clipping: float
    is_flat: bool
    """Whether it gave one and the same value."""


def _listen(source: Source) -> _Level:
    """Listen for two seconds."""
    meter = HealthMeter()
    heard = 0
    loudest_dbfs, clipping = meter.health.level_dbfs, 0.0
    try:
        for block in source.blocks():
            if not block.samples.size:
                continue
            meter.count(overruns=block.overruns, invalid=block.invalid)
            health = meter.update(block.samples)
            loudest_dbfs, clipping = max(loudest_dbfs, health.level_dbfs), max(clipping, health.clipping)
            heard += block.samples.size
            if heard >= LISTEN_S * SAMPLE_RATE:
                break
    finally:
        source.close()
    return _Level(loudest_dbfs, clipping, meter.health.flat_s * SAMPLE_RATE >= heard)


def _microphone(what: str, source: Source) -> Finding:
    """Judge the level."""
    found = _listen(source)
    if found.is_flat:
        return Finding(what, ok=False, text="it gives one and the same value: unmute it, or choose another device")
    level = f"level up to {found.loudest_dbfs:.0f} dBFS in {LISTEN_S:g} s"
    if found.loudest_dbfs < VERY_QUIET_DBFS:
        return Finding(what, ok=False, text=f"{level}: very quiet; raise its capture volume with alsamixer")
    if found.clipping > OFTEN_CLIPPED:
        return Finding(what, ok=False, text=f"{level}: {found.clipping:.1%} clipped; lower its capture volume")
    return Finding(what, ok=True, text=level)


def _stream(what: str, source: Source) -> Finding:
    """Open it and hear whether there is sound in it; what is wrong with it, the source says."""
    found = _listen(source)
    if found.is_flat:
        return Finding(what, ok=False, text=f"it opens, but gives only silence for {LISTEN_S:g} s")
    return Finding(what, ok=True, text=f"it opens; level up to {found.loudest_dbfs:.0f} dBFS in {LISTEN_S:g} s")


def _broker(config: MqttConfig, try_broker: Callable[[MqttConfig], str | None]) -> Finding:
    if not config.host:
        return Finding("broker", ok=True, text="none is configured ([mqtt] host): messages go to standard output")
    try:
        refusal = try_broker(config)
    except OidoError as error:
        refusal = str(error)
    where = f"{config.host}:{config.port}"
    return Finding("broker", ok=refusal is None, text=refusal or f"{where} takes and gives messages")


def _left_behind(config: Config, find_retained: Callable[[Collection[str]], Collection[str]]) -> Finding:
    """Name the retained topics that are not of this configuration."""
    what, known = "retained topics", _known(config)
    try:
        ghosts = set(find_retained(known)) - retained_topics(config)
    except OidoError as error:
        return Finding(what, ok=True, text=f"not looked at: {error}")
    named = ", ".join(sorted(ghosts))
    if ghosts - known:
        return Finding(what, ok=False, text=f"left behind: {named}; `oido check --forget` clears them")
    if ghosts:
        return Finding(what, ok=True, text=f"left behind, and cleared when oido starts again: {named}")
    return Finding(what, ok=True, text="only those of this configuration")


def _known(config: Config) -> frozenset[str]:
    """The topics of the daemon's ledger, if there is one that can be read."""
    try:
        return read_ledger(directory_to_look_at(config) / LEDGER_FILE)[0]
    except OSError:
        return frozenset()


def _retained_by(config: Config, known: Collection[str]) -> tuple[str, ...]:
    from device.publishing.forgetting import retained_by  # noqa: PLC0415 - paho only where there is a broker

    return retained_by(config, known)


def _try_broker(config: Config) -> str | None:
    from device.publishing.trial import round_trip  # noqa: PLC0415 - the same

    return round_trip(config)
