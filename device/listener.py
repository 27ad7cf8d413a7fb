"""One source from morning to night: hears it, reports it, opens it again when it was lost, obeys commands."""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable

from device.config import DecisionConfig, Mode, SourceConfig
from device.errors import OidoError, SourceError
from device.hearing.classifier import Classifier
from device.hearing.decision import Decision
from device.hearing.models import Model
from device.hearing.rules import rules
from device.pipeline import Observation, listen
from device.publishing.command import Command, CommandError, parse_command
from device.publishing.message import Topics, response_message, telemetry_message
from device.publishing.publisher import Publisher
from device.publishing.report import Response, Telemetry
from device.publishing.reporter import Reporter
from device.sources.backoff import Backoff
from device.sources.base import SAMPLE_RATE, Source
from device.telemetry import cpu_temperature_c, resident_mb

_log = logging.getLogger(__name__)


class Listener:
    """Drives the pipeline for one source, in a thread named after it that it owns.

    A recording or standard input ends; a microphone or stream that fails is opened again, later and later.
    """

    def __init__(
        self,
        config: SourceConfig,
        *,
        open_source: Callable[[], Source],
        model: Model,
        decision: DecisionConfig,
        mode: Mode,
        topics: Topics,
        publisher: Publisher,
        state_interval_s: float,
        telemetry_interval_s: float,
        origin: float | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            config: the source's section.
            open_source: makes the source, each time it is opened.
            model: of any kind that `Classifier` knows.
            decision: thresholds and durations.
            mode: which of the model's thresholds to use at first.
            topics: of the device.
            publisher: who is told.
            state_interval_s: the state is repeated so often.
            telemetry_interval_s: telemetry is sent so often.
            origin: when sample zero was, seconds since the epoch; None: now, each time the source is opened.
            backoff: how long to wait before opening a lost source again.
        """
        self.name = config.name
        self.error: OidoError | None = None
        """Why the source ended, if it did not end well."""
        self._endless = config.kind in ("microphone", "stream")
        self._open_source = open_source
        self._model = model
        self._decision_config = decision
        self._topics = topics
        self._publisher = publisher
        self._flat_line_limit_s = config.flat_line_limit_s
        self._telemetry_samples = telemetry_interval_s * SAMPLE_RATE
        self._origin = origin
        self._backoff = backoff or Backoff()
        self._reporter = Reporter(
            topics=topics,
            source=config.name,
            model=model.sidecar.name,
            mode=mode,
            state_interval_s=state_interval_s,
            origin=time.time() if origin is None else origin,
        )
        self._commands: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._paused = False
        self._let_go = False
        """Whether the source was closed for a pause, which may be over before it has ended."""
        self._source: Source | None = None
        self._costs_ms: deque[float] = deque(maxlen=256)
        self._clipping = 0.0
        self._patches = 0
        self._telemetry_due = self._telemetry_samples
        self._began = time.monotonic()
        # A daemon thread: a driver that hangs in a read cannot be interrupted and must not hold the exit.
        self._thread = threading.Thread(target=self._run, name=f"listen {config.name}", daemon=True)

    def start(self) -> None:
        """Begin to listen. Once only."""
        self._thread.start()

    def command(self, payload: bytes) -> None:
        """Take a `set` payload, from any thread; it is obeyed and answered within a second."""
        self._commands.put(payload)

    def stop(self) -> None:
        """End soon, from any thread; what is open is closed and reported. Idempotent."""
        self._stopping.set()
        self._commands.put(None)
        source = self._source
        if source is not None:
            source.close()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; False if it took longer."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def crashed(self) -> bool:
        """Whether it ended for a reason that opening the source again would not mend."""
        return self.error is not None and not isinstance(self.error, SourceError)

    @property
    def alive(self) -> bool:
        """Whether it still listens."""
        return self._thread.is_alive()

    def _run(self) -> None:
        """Body of the thread."""
        try:
            self._say_silent("starting")
            while not self._stopping.is_set():
                if self._paused:
                    self._obey(wait_s=None)
                elif not self._listen_once():
                    break
        except OidoError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - whatever it was, the daemon must end with it
            # A dead thread in a live process would be a device that is deaf and says nothing.
            _log.exception("listening to %s failed in an unforeseen way", self.name)
            self.error = OidoError(f"{self.name}: listening failed: {error!r}")

    def _listen_once(self) -> bool:
        """Open the source and hear it to its end. False when there is nothing more to come."""
        decision = Decision(rules(self._decision_config, self._model, self._reporter.mode))
        origin = time.time() if self._origin is None else self._origin
        self._reporter.restarted(origin)
        self._telemetry_due = self._telemetry_samples
        self._let_go = False
        source = self._source = self._open_source()
        if self._stopping.is_set():  # `stop` may have missed this one
            source.close()
        try:
            observations = listen(
                source,
                Classifier(self._model),
                decision,
                flat_line_limit_s=self._flat_line_limit_s,
                origin=origin,
            )
            for observation in observations:
                self._observed(observation)
                self._obey(wait_s=0, decision=decision)
        except SourceError as error:
            return self._lost(error, decision)
        except Exception:
            # It ends the listener, but music that was on must not stay on for ever.
            self._close(decision)
            raise
        finally:
            self._source = None
            source.close()
        if self._let_go:
            self._say_silent("paused")
            return True
        if not self._endless or self._stopping.is_set():
            return False
        return self._lost(SourceError(f"{self.name}: the source has ended"), decision)

    def _lost(self, error: SourceError, decision: Decision) -> bool:
        """Say that nothing is heard, and wait before trying again; False where trying again is no use."""
        self._close(decision)
        if self._let_go or self._stopping.is_set():
            return True
        if not self._endless:
            self.error = error
            return False
        wait_s = self._backoff.next_s()
        _log.warning("%s; trying again in %.1f s", error, wait_s)
        deadline = time.monotonic() + wait_s
        while (left_s := deadline - time.monotonic()) > 0 and not self._stopping.is_set() and not self._paused:
            self._obey(wait_s=left_s)
        return True

    def _close(self, decision: Decision) -> None:
        """Say that nothing is heard any more, and that what was open has ended."""
        for message in self._reporter.silent("paused" if self._let_go else "no audio", decision.lose()):
            self._publisher.publish(message)

    def _observed(self, observation: Observation) -> None:
        if observation.condition == "hearing":
            self._backoff.reset()
            self._costs_ms.append(observation.cost_s * 1000)
        self._clipping += observation.health.clipping
        self._patches += 1
        for message in self._reporter.observed(observation):
            self._publisher.publish(message)
        if observation.heard >= self._telemetry_due:
            self._telemetry_due = observation.heard + self._telemetry_samples
            telemetry = telemetry_message(self._topics, self.name, self._telemetry(observation))
            self._publisher.publish(telemetry)
            self._clipping, self._patches = 0.0, 0

    def _telemetry(self, observation: Observation) -> Telemetry:
        costs = sorted(self._costs_ms)
        return Telemetry(
            level_dbfs=observation.health.level_dbfs,
            clipping=self._clipping / self._patches,
            inference_p50_ms=costs[len(costs) // 2] if costs else None,
            inference_p95_ms=costs[int(0.95 * len(costs))] if costs else None,
            overruns=observation.health.overruns,
            rss_mb=resident_mb(),
            cpu_temperature_c=cpu_temperature_c(),
            uptime_s=time.monotonic() - self._began,
            queued_events=self._publisher.queued_events,
            dropped_events=self._publisher.dropped_events,
        )

    def _say_silent(self, reason: str) -> None:
        for message in self._reporter.silent(reason):
            self._publisher.publish(message)

    def _obey(self, *, wait_s: float | None, decision: Decision | None = None) -> None:
        """Carry out what was commanded; wait for a first command so long (None: until one comes)."""
        block = wait_s is None or wait_s > 0
        while True:
            try:
                payload = self._commands.get(block, wait_s if block else None)
            except queue.Empty:
                return
            if payload is None:  # only wakes this thread up
                return
            self._carry_out(payload, decision)
            block = False

    def _carry_out(self, payload: bytes, decision: Decision | None) -> None:
        try:
            command = parse_command(payload)
        except CommandError as error:
            _log.warning("ignored a command for %s: %s", self.name, error)
            self._respond(error.transaction, str(error))
            return
        self._apply(command, decision)
        self._respond(command.transaction, None)

    def _apply(self, command: Command, decision: Decision | None) -> None:
        if command.mode is not None:
            self._reporter.mode = command.mode
            if decision is not None:
                decision.rules = rules(self._decision_config, self._model, command.mode)
        if command.paused is not None and command.paused != self._paused:
            self._paused = command.paused
            # Paused means that the microphone is let go, not that its sound is thrown away.
            if self._paused and self._source is not None:
                self._let_go = True
                self._source.close()
            elif self._paused:
                self._say_silent("paused")

    def _respond(self, transaction: str | None, error: str | None) -> None:
        response = Response(
            transaction=transaction,
            ok=error is None,
            error=error,
            paused=self._paused,
            mode=self._reporter.mode,
        )
        self._publisher.publish(response_message(self._topics, self.name, response))
