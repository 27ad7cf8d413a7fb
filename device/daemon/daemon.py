"""`oido run`: one listener per source, one publisher, supervision, and an orderly end.

The main thread supervises. Five times a second it publishes which sources cannot be heard, and feeds systemd's
watchdog if no listener is late. SIGTERM and SIGINT end the daemon, SIGHUP reads the configuration again.
"""

import logging
import platform
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing

import device
from device.configuration.settings import Config, SourceConfig
from device.daemon.listener import Listener
from device.daemon.listeners import Listeners
from device.daemon.memory import Settling
from device.daemon.reload import changes
from device.daemon.signals import Signals, signals
from device.daemon.systemd import Notifier
from device.daemon.writer import Writer
from device.errors import ModelError, OidoError
from device.hearing.classifier import try_model
from device.hearing.models.loading import Model, configured_model, installed_model
from device.monitoring.host import cpu_temperature_c, hardware, resident_mb
from device.monitoring.metrics import Figures, render
from device.publishing.discovery import birth_topic, discoveries
from device.publishing.ledger import Ledger, retained_topics
from device.publishing.message import Topics, clearing_message, info_message, process_message
from device.publishing.payloads import DeviceInfo, ProcessReport
from device.publishing.publisher import Publisher
from device.publishing.stdout import StdoutPublisher
from device.sources.base import Source
from device.storage.commanded import FILE as COMMANDED_FILE
from device.storage.commanded import Commanded
from device.storage.state import State, state_directory

_log = logging.getLogger(__name__)

_LOOK_S = 5.0
"""How often it looks whether the clock was set, and whether refused events are to be sent again."""

POLL_S = 0.2
"""How often listeners and publisher are checked."""

_CORRECTED_S = 5.0
"""How long a session waits at its beginning for states that are being corrected."""

OpenSource = Callable[[SourceConfig], Source]
ReadConfig = Callable[[], Config]


def run(
    config: Config,
    *,
    open_source: OpenSource,
    origin: float | None = None,
    drain_s: float = 30.0,
    publisher: Publisher | None = None,
    reread: ReadConfig | None = None,
    notifier: Notifier | None = None,
) -> int:
    """Listen to every source until all have ended or a signal says stop.

    Args:
        config: all settings.
        open_source: makes a source of its section.
        origin: when sample zero was, for recordings; None: now.
        drain_s: after the last recording, how long the broker may take to acknowledge everything.
        publisher: instead of the one that the configuration names; then no state is kept.
        reread: reads the configuration again at SIGHUP; None: SIGHUP does what it did before.
        notifier: tells systemd; None: the one of the environment.

    Returns:
        The exit code.

    Raises:
        OidoError: the model or the broker's settings are unusable.
    """
    daemon = _Daemon(
        config, open_source=open_source, origin=origin, given=publisher, notifier=notifier or Notifier()
    )
    # The signals stand around the end as well: a second one must not break off the goodbye.
    with signals(reload=reread is not None) as asked, closing(daemon):
        return daemon.run(asked, drain_s=drain_s, reread=reread)


class _Daemon:
    """What runs, and how that is changed meanwhile. `close` ends it."""

    def __init__(
        self,
        config: Config,
        *,
        open_source: OpenSource,
        origin: float | None,
        given: Publisher | None,
        notifier: Notifier,
    ) -> None:
        self._config = config
        self._open_source = open_source
        self._origin = origin
        self._given = given
        self._notifier = notifier
        self._listeners = Listeners()
        self._started = time.time()
        self._began = self._telemetry_due = self._look_due = time.monotonic()
        self._trouble = ""
        """Why the latest reload was refused."""
        self._changing = threading.Lock()  # held while the configuration or the model changes
        # A replay keeps no state: the state directory belongs to the live daemon.
        live = given is None and origin is None
        self._commanded = Commanded(state_directory(config) / COMMANDED_FILE if live else None)
        self._model = self._chosen_model(config)
        self._state = State(config) if live else None
        self._ledger = Ledger() if self._state is None else self._state.ledger
        self._publisher = self._make_writer(config)
        self._metrics = ExitStack()
        self._settling = Settling()

    def close(self) -> None:
        """Close everything; `offline` is published first."""
        self._publisher.close()
        self._metrics.close()
        if self._state is not None:
            self._state.close()
        self._notifier.close()

    def run(self, asked: Signals, *, drain_s: float, reread: ReadConfig | None) -> int:
        """Start everything, supervise it, and end it in order; the exit code."""
        self._set_log_level()
        self._introduce()
        # Before the publisher: a session begins with states that are true, which are the listeners' first words.
        self._listeners.start([self._listener(source) for source in self._config.source])
        self._publisher.start()
        self._serve_metrics()
        self._notifier.ready()
        while not asked.wait(POLL_S):
            if self._publisher.ended or self._listeners.crashed or not self._listeners.alive:
                break
            if reread is not None and asked.reload:
                asked.reload = False
                self._reload(reread)
            self._look_after()
        self._notifier.stopping()
        finished = not self._listeners.alive
        self._listeners.stop()
        if finished and not self._drained(drain_s, asked):
            when = "before the signal to stop" if asked.stop else f"within {drain_s:g} s"
            _log.error("the broker did not acknowledge everything %s", when)
            return 1
        errors = tuple(self._listeners.errors())
        for error in errors:
            _log.error("%s", error)
        return max((error.exit_code for error in errors), default=0)

    def _drained(self, patience_s: float, asked: Signals) -> bool:
        """Whether the broker acknowledges everything in time, and before a signal asks to stop."""
        deadline = time.monotonic() + patience_s
        while not self._publisher.drain(POLL_S):
            if asked.stop or time.monotonic() > deadline:
                return False
        return True

    def _look_after(self) -> None:
        """Publish which sources cannot be heard; feed the watchdog if no listener is late."""
        now = time.monotonic()
        if self._listeners.guard(now) and not self._publisher.hangs(now):
            self._notifier.alive()
        waiting = self._publisher.queued_events
        words = [
            self._listeners.words(),
            f"{waiting} event(s) wait for the broker" if waiting else "",
            self._trouble,
        ]
        self._notifier.status("; ".join(filter(None, words)))
        self._settling.look()
        if self._state is not None and time.monotonic() >= self._look_due:
            self._look_due = time.monotonic() + _LOOK_S
            self._state.look()
        if time.monotonic() >= self._telemetry_due:
            self._tell()

    def _reload(self, reread: ReadConfig) -> None:
        """Change to the new configuration, or keep the old one and log why."""
        self._notifier.reloading()
        try:
            with self._changing:
                self._change_to(reread())
        except OidoError as error:
            self._trouble = f"the new configuration was not taken: {error}"
            _log.error("%s; the old one stays in force", self._trouble)
        else:
            self._trouble = ""
            _log.info("the configuration was read again")
        self._notifier.ready()

    def _change_to(self, config: Config) -> None:
        """Restart what the new configuration changes, and only that.

        Raises:
            OidoError: it cannot be; nothing has changed then.
        """
        change = changes(self._config, config)
        if self._state is not None:
            self._state.must_fit(config)
        model = self._chosen_model(config) if change.model else self._model
        publisher = self._make_writer(config) if change.publisher else None
        gone = {source.name for source in self._config.source} - {source.name for source in config.source}
        self._listeners.stop(change.stop)
        self._listeners.forget(gone)
        self._config, self._model = config, model
        self._set_log_level()
        if publisher is not None:
            self._publisher.close()
            self._publisher = publisher
        if publisher is not None or change.model or change.start or gone:
            self._introduce()
        self._listeners.start([self._listener(source) for source in config.source if source.name in change.start])
        if publisher is not None:
            publisher.start()
        if change.metrics:
            self._serve_metrics()
        self._settling.begin()

    def _make_writer(self, config: Config) -> Publisher:
        """The publisher to start next, behind a writer where a disk may be slow.

        Raises:
            OidoError: the broker's settings are unusable.
        """
        publisher = self._make_publisher(config)
        return publisher if self._state is None else Writer(publisher, self._state.journal)

    def _correct_states(self) -> None:
        """Before a session begins: publish which sources are no longer heard."""
        self._listeners.guard(time.monotonic())
        if isinstance(self._publisher, Writer):
            self._publisher.flush(_CORRECTED_S)

    def _make_publisher(self, config: Config) -> Publisher:
        """The publisher to start next: to the broker, or to standard output if there is none.

        Raises:
            OidoError: the broker's settings are unusable.
        """
        if self._given is not None:
            return self._given
        if config.mqtt.host:
            from device.publishing.mqtt import Birth, MqttPublisher  # noqa: PLC0415 - paho only where there is a broker

            wanted = config.homeassistant
            birth = Birth(topic=birth_topic(wanted.discovery_prefix), longest_delay_s=wanted.birth_delay_s)
            return MqttPublisher(
                config.mqtt,
                topics=Topics.of(config),
                on_command=self._on_command,
                birth=birth if wanted.enabled else None,
                outbox=None if self._state is None else self._state.outbox,
                ledger=self._ledger,
                before_states=self._correct_states,
            )
        return StdoutPublisher(sys.stdout)

    def _introduce(self) -> None:
        """Clear what is no longer there, publish what the device is, and tell Home Assistant its sources."""
        wanted = retained_topics(self._config)
        gone = self._ledger.topics - wanted
        self._ledger.note(wanted)
        # First, so that a renamed source finds its entity ids free.
        for topic in sorted(gone):
            self._publisher.publish(clearing_message(topic))
        sidecar = self._model.sidecar
        info = DeviceInfo(
            version=device.__version__,
            model=sidecar.name,
            model_sha256=sidecar.sha256,
            hardware=hardware(),
            python=platform.python_version(),
        )
        self._publisher.publish(info_message(Topics.of(self._config), info))
        self._tell()
        for message in discoveries(self._config, info):
            self._publisher.publish(message)

    def _tell(self) -> None:
        """Publish how the process is doing, where there is a broker."""
        now = time.monotonic()
        self._telemetry_due = now + self._config.mqtt.telemetry_interval_s
        if self._config.mqtt.host:
            report = ProcessReport(
                rss_mb=resident_mb(),
                cpu_temperature_c=cpu_temperature_c(),
                uptime_s=now - self._began,
                queued_events=self._publisher.queued_events,
                dropped_events=self._publisher.dropped_events,
                refused_events=self._publisher.refused_events,
            )
            self._publisher.publish(process_message(Topics.of(self._config), report))

    def _on_command(self, source: str, payload: bytes) -> None:
        if not self._listeners.command(source, payload):
            _log.warning("ignored a command for %r: there is no such source here", source)

    def _chosen_model(self, config: Config) -> Model:
        """The model that a command has chosen, else the configured one.

        Raises:
            OidoError: the configured one cannot be used.
        """
        name = self._commanded.model(configured=config.model.name)
        if name != config.model.name:
            try:
                model = installed_model(name, config.model)
                try_model(model)
            except ModelError as error:
                _log.warning("the model %s, set by command, cannot be used: %s", name, error)
            else:
                return model
        return configured_model(config.model)

    def _set_log_level(self) -> None:
        """Log as much as a command has said; without one, whoever read the configuration has set the level."""
        configured = self._config.log.level
        level = self._commanded.log_level(configured=configured)
        if level != configured:
            logging.getLogger().setLevel(level.upper())

    def _change_model(self, name: str) -> Model:
        """Change the model of every source; called in the thread of the listener that has the command.

        Raises:
            ModelError: there is no such model, or it cannot be used; the old one stays.
        """
        model = installed_model(name, self._config.model)
        try_model(model)
        # Without waiting: a reload may be waiting for this very listener to end.
        if not self._changing.acquire(blocking=False):
            raise ModelError("the configuration is just being changed; try again")
        try:
            self._model = model
            self._introduce()
            self._listeners.adopt(model)
        finally:
            self._changing.release()
        self._settling.begin()
        _log.info("the model is now %s, by command", name)
        return model

    def _listener(self, source: SourceConfig) -> Listener:
        return Listener(
            source,
            config=self._config,
            open_source=lambda: self._open_source(source),
            model=self._model,
            publisher=self._publisher,
            origin=self._origin,
            counts=self._listeners.counts(source),
            commanded=self._commanded,
            change_model=self._change_model,
            journal=None if self._state is None else self._state.journal,
            today=None if self._state is None else self._state.music_today(source.name, now=time.time()),
        )

    def _serve_metrics(self) -> None:
        """Serve metrics if the configuration asks for them. Listening goes on if their port is taken."""
        self._metrics.close()
        wanted = self._config.metrics
        if wanted.port is None:
            return
        from device.monitoring.metrics_server import MetricsServer  # noqa: PLC0415 - only where it is wanted

        try:
            self._metrics.enter_context(MetricsServer(wanted.host, wanted.port, page=self._page))
        except OidoError as error:
            _log.error("%s", error)

    def _page(self) -> str:
        """The metrics; called in their server's thread."""
        sidecar = self._model.sidecar
        return render(
            Figures(
                version=device.__version__,
                python=platform.python_version(),
                model=sidecar.name,
                model_sha256=sidecar.sha256,
                started=self._started,
                resident_bytes=resident_mb() * 2**20,
                queued_events=self._publisher.queued_events,
                dropped_events=self._publisher.dropped_events,
                refused_events=self._publisher.refused_events,
                sources=self._listeners.figures(),
            )
        )
