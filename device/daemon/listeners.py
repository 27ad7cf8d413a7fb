"""The listeners of all sources: started, watched and stopped together."""

import time
from collections.abc import Collection, Iterator

from device.configuration.settings import SourceConfig
from device.daemon.listener import Listener
from device.errors import OidoError
from device.hearing.decision import Music
from device.hearing.models.loading import Model
from device.monitoring.metrics import SourceFigures
from device.monitoring.vitals import Counts

STOP_S = 0.5
"""How long all listeners together may take to close their devices. One that takes longer is abandoned."""


class Listeners:
    """For the daemon's main thread; `command`, `adopt` and `figures` for any."""

    def __init__(self) -> None:
        self._listeners: dict[str, Listener] = {}
        self._counts: dict[str, Counts] = {}

    def counts(self, source: SourceConfig) -> Counts:
        """The counts of a source, which outlive its listener."""
        return self._counts.setdefault(source.name, Counts())

    def start(self, listeners: Collection[Listener]) -> None:
        """Start these."""
        for listener in listeners:
            self._listeners[listener.name] = listener
        for listener in listeners:
            listener.start()

    def stop(self, names: Collection[str] | None = None) -> None:
        """Stop these, or all; one that hangs is abandoned."""
        ending = [self._listeners[name] for name in (self._listeners if names is None else names)]
        for listener in ending:
            listener.stop()
        deadline = time.monotonic() + STOP_S
        for listener in ending:
            if not listener.join(max(0.0, deadline - time.monotonic())):
                listener.abandon()

    def forget(self, names: Collection[str]) -> None:
        """Drop sources that are no longer in the configuration."""
        for name in names:
            del self._listeners[name], self._counts[name]

    def command(self, source: str, payload: bytes) -> bool:
        """Pass a `set` payload to its source; False if there is none of that name."""
        listener = self._listeners.get(source)
        if listener is not None:
            listener.command(payload)
        return listener is not None

    def adopt(self, model: Model) -> None:
        """Go on with another model everywhere."""
        for listener in tuple(self._listeners.values()):
            listener.adopt(model)

    @property
    def alive(self) -> bool:
        """Whether any source is still listened to."""
        return any(listener.alive for listener in self._listeners.values())

    @property
    def crashed(self) -> bool:
        """Whether any listener failed in a way that opening its source again would not mend."""
        return any(listener.crashed for listener in self._listeners.values())

    def guard(self, now: float) -> bool:
        """Publish which sources cannot be heard; whether all listeners are in time.

        Args:
            now: time.monotonic().
        """
        listeners = tuple(self._listeners.values())
        for listener in listeners:
            listener.guard(now)
        return not any(listener.liveness.overdue(now) for listener in listeners)

    def errors(self) -> Iterator[OidoError]:
        """Why listeners failed."""
        return (listener.error for listener in self._listeners.values() if listener.error is not None)

    def words(self) -> str:
        """What each source hears: `room: music; hall: no audio`."""
        return "; ".join(
            f"{listener.name}: {listener.said[1] if listener.said else 'starting'}"
            for listener in self._listeners.values()
        )

    def figures(self) -> list[SourceFigures]:
        """Counts and state of each source."""
        return [_figures(listener) for listener in tuple(self._listeners.values())]


def _figures(listener: Listener) -> SourceFigures:
    state = listener.said[0] if listener.said else Music.UNKNOWN
    music = None if state is Music.UNKNOWN else state.value
    return SourceFigures(name=listener.name, counts=listener.counts, music=music)
