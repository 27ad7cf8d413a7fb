"""`oido check`: configuration, model, sources, broker, clock, disk; each line says ok or what to do."""

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from device.commands.options import add_config, add_model, configuration
from device.commands.surroundings import disk, is_synchronised, judge_clock
from device.configuration.settings import Config, MqttConfig, SourceConfig
from device.errors import ModelError, OidoError, SourceError
from device.hearing.classifier import Classifier
from device.hearing.front_end.transforms import fastest
from device.hearing.health import HealthMeter
from device.hearing.models.loading import Model, SegmentModel, configured_model
from device.hearing.rules import rules
from device.publishing.message import Topics
from device.sound import SAMPLE_RATE
from device.sources.base import Source
from device.sources.decoding import AudioFile
from device.sources.opening import open_source

LISTEN_S = 2.0
"""How long a microphone is listened to."""

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
    parser.add_argument(
        "--forget-discovery",
        action="store_true",
        help="check nothing; remove this device from Home Assistant's discovery at the broker",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print every finding; 1 if any is not ok. A configuration that cannot be read is wrong use: 2."""
    config = configuration(arguments)
    if arguments.forget_discovery:
        return print_findings(forget(config), sys.stdout)
    topics = Topics.of(config)
    found = findings(config, open_source=open_source, try_broker=lambda mqtt: _try_broker(mqtt, topics))
    return print_findings(found, sys.stdout)


def print_findings(found: Iterator[Finding], stream: TextIO) -> int:
    """Print each finding as it is made; returns the exit code."""
    code = 0
    for finding in found:
        stream.write(f"{'ok  ' if finding.ok else 'FAIL'} {finding.what}: {finding.text}\n")
        stream.flush()
        code = code or int(not finding.ok)
    return code


def forget(config: Config) -> Iterator[Finding]:
    """Remove every retained discovery message of this device, and say which.

    Raises:
        ConfigurationError: no broker is configured.
        PublishError: the broker cannot be reached, or does not allow it.
    """
    from device.publishing.forgetting import forget_discovery  # noqa: PLC0415 - paho only where there is a broker

    topics = Topics.of(config)
    prefix = config.homeassistant.discovery_prefix
    removed = forget_discovery(config.mqtt, topics=topics, prefix=prefix)
    for topic in removed:
        yield Finding("Home Assistant", ok=True, text=f"removed {topic}")
    if not removed:
        yield Finding("Home Assistant", ok=True, text=f"nothing of {topics.node!r} stands under {prefix!r}")
    elif config.homeassistant.enabled:
        again = "a running `oido run` sends it again at its next connection; set [homeassistant] enabled = false"
        yield Finding("Home Assistant", ok=True, text=again)


def findings(
    config: Config,
    *,
    open_source: Callable[[SourceConfig], Source],
    try_broker: Callable[[MqttConfig], str | None],
) -> Iterator[Finding]:
    """Check everything that `oido run` needs.

    Args:
        config: what to check.
        open_source: makes a source of its section.
        try_broker: returns None if the broker does all that the daemon needs, otherwise one sentence why not.
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
    yield _broker(config.mqtt, try_broker)
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
                info = AudioFile(Path(section.path or "")).info()
                return Finding(what, ok=True, text=f"{section.path}: {info.sample_rate_hz} Hz")
            case "stdin":
                return Finding(what, ok=True, text="standard input is read when it runs")
            case "stream":
                return _stream(what)
    except SourceError as error:
        return Finding(what, ok=False, text=str(error))


def _microphone(what: str, source: Source) -> Finding:
    """Listen for two seconds and judge the level."""
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
    if meter.health.flat_s * SAMPLE_RATE >= heard:
        return Finding(what, ok=False, text="it gives one and the same value: unmute it, or choose another device")
    level = f"level up to {loudest_dbfs:.0f} dBFS in {LISTEN_S:g} s"
    if loudest_dbfs < VERY_QUIET_DBFS:
        return Finding(what, ok=False, text=f"{level}: very quiet; raise its capture volume with alsamixer")
    if clipping > OFTEN_CLIPPED:
        return Finding(what, ok=False, text=f"{level}: {clipping:.1%} clipped; lower its capture volume")
    return Finding(what, ok=True, text=level)


def _stream(what: str) -> Finding:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        return Finding(what, ok=False, text="ffmpeg is not installed; apt install ffmpeg")
    return Finding(what, ok=True, text=f"{ffmpeg} will open it when it runs")


def _broker(config: MqttConfig, try_broker: Callable[[MqttConfig], str | None]) -> Finding:
    if not config.host:
        return Finding("broker", ok=True, text="none is configured ([mqtt] host): messages go to standard output")
    try:
        refusal = try_broker(config)
    except OidoError as error:
        refusal = str(error)
    where = f"{config.host}:{config.port}"
    return Finding("broker", ok=refusal is None, text=refusal or f"{where} takes and gives messages")


def _try_broker(config: MqttConfig, topics: Topics) -> str | None:
    from device.publishing.trial import round_trip  # noqa: PLC0415 - paho only where there is a broker

    return round_trip(config, topics)
