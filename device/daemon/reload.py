"""What a new configuration changes in a running daemon. Pure."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields

from device.configuration.settings import Config

_OF_LISTENERS = {"source", "model", "decision"}
_OF_NOBODY = {"log", "metrics"}


@dataclass(frozen=True, slots=True)
class Changes:
    """What has to be started again; everything else goes on undisturbed."""

    model: bool
    publisher: bool
    """And with it every listener: topics and intervals come from the same sections."""
    metrics: bool
    stop: AbstractSet[str]
    """Sources that end: gone from the configuration, or started again."""
    start: AbstractSet[str]
    """Sources that begin."""


def changes(old: Config, new: Config) -> Changes:
    """Compare two configurations, section by section."""
    differ = {each.name for each in fields(Config) if getattr(old, each.name) != getattr(new, each.name)}
    # Everything is taken to depend on a section that this function does not know.
    publisher = bool(differ - _OF_LISTENERS - _OF_NOBODY)
    everyone = publisher or bool(differ & {"model", "decision"})
    before = {source.name: source for source in old.source}
    after = {source.name: source for source in new.source}
    if everyone:
        stop, start = set(before), set(after)
    else:
        stop = {name for name, source in before.items() if after.get(name) != source}
        start = {name for name, source in after.items() if before.get(name) != source}
    return Changes(
        model="model" in differ, publisher=publisher, metrics="metrics" in differ, stop=stop, start=start
    )
