"""Listens to one source: hears it, publishes that, opens it again when it is lost, and obeys commands."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from device.configuration.settings import Config, LogLevel, SourceConfig
from device.daemon import liveness
from device.errors import ModelError, OidoError, SourceError, SourceLost
from device.hearing.classifier import Classifier
from device.hearing.decision import Decision, Music, Rules, Step
from device.hearing.models.loading import Model
from device.hearing.rules import rules
from device.monitoring.vitals import Counts, Vitals
from device.pipeline import Observation, listen
from device.publishing.command import LONGEST_PAYLOAD, Command, CommandError, parse_command
from device.publishing.discovery import discovered_sources
from device.publishing.message import Message, Topics, response_message, telemetry_message
from device.publishing.music_today import MusicToday
from device.publishing.payloads import Response, Telemetry
from device.publishing.publisher import Publisher
from device.publishing.reporter import Reporter
from device.sound import SAMPLE_RATE
from device.sources.backoff import Backoff
from device.sources.base import Source
from device.storage.commanded import Commanded
from device.storage.journal import Journal

_log = logging.getLogger(__name__)

SETTLED_S = 5.0
"""After a source was heard for so long, the next wait is the shortest again. A stream that always breaks off at
once is opened less and less often."""

_MOST_COMMANDS = 64
"""Commands that may wait; a person sends one at a time."""

_OBEYING_S = 0.2
"""How long commands are carried out before sound is heard again. One that has begun is finished."""

_SPEAKING_S = 0.3
"""How long the daemon waits for a listener that is publishing. One that hangs there starves the watchdog."""


class Listener:
    """Drives the pipeline for one source, in a thread that it owns and names after the source.

    A recording or standard input ends. A microphone or stream that fails is opened again, after ever longer waits.
    """

    def __init__(
        self,
        source: SourceConfig,
        *,
        config: Config,
        open_source: Callable[[], Source],
        model: Model,
        publisher: Publisher,
        origin: float | None = None,
        backoff: Backoff | None = None,
        counts: Counts | None = None,
        commanded: Commanded | None = None,
        journal: Journal | None = None,
        today: MusicToday | None = None,
        change_model: Callable[[str], Model] | None = None,
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            source: the source's section.
            config: all settings.
            open_source: makes the source, each time it is opened.
            model: hears first.
            publisher: of all messages.
            origin: when sample zero was, seconds since the epoch; None: now, each time the source is opened.
            backoff: how long to wait before a lost source is opened again.
            counts: go on from here; None: from zero.
            commanded: what commands have set, for this and later processes; None: nothing yet, only for this one.
            journal: notes how far music was heard; None: nothing is noted.
            today: counts the music of today; None: from zero.
            change_model: replaces the model of the whole device by the installed one of that name, or raises
                ModelError; called in this listener's thread. None: commands cannot change the model.
        """
        self.name = source.name
        self.error: OidoError | None = None
        """Why the source ended, if it failed."""
        self.liveness = liveness.opening(time.monotonic())
        """What it does, and by when it must have done more; set by its own thread, read by any."""
        self.counts = counts or Counts()
        self._endless = source.kind in ("microphone", "stream")
        self._live = source.kind != "file"
        self._stall_s = source.stall_s
        self._open_source = open_source
        self._model = model
        self._config = config
        self._commanded = commanded or Commanded()
        self._topics = Topics.of(config)
        self._publisher = publisher
        self._journal = journal or Journal()
        self._flat_line_limit_s = source.flat_line_limit_s
        self._vitals = Vitals(self.counts, telemetry_interval_s=config.mqtt.telemetry_interval_s)
        self._origin = origin
        self._backoff = backoff or Backoff(longest_s=source.retry_limit_s)
        discovered = source in discovered_sources(config)
        self._reporter = Reporter(
            topics=self._topics,
            source=source.name,
            model=model.sidecar.name,
            mode=self._commanded.mode(source.name, configured=config.model.mode),
            state_interval_s=config.mqtt.state_interval_s,
            origin=time.time() if origin is None else origin,
            summary_interval_s=config.homeassistant.summary_interval_s if discovered else None,
            today=today,
        )
        self._speaking = threading.Lock()  # guards the reporter and the order of its messages
        self._abandoned = False
        self._decision: Decision | None = None
        self._heard_since: float | None = None  # monotonic
        self._excuse = ""
        """Why nothing is heard, as it was last logged."""
        self._classifier: Classifier | None = None
        self._change_model = change_model
        self._flooded = False
        """Whether commands were dropped since there was last none left to obey."""
        self._commands: queue.SimpleQueue[bytes | Model | None] = queue.SimpleQueue()
        """`set` payloads, models to go on with, and None, which only wakes the thread."""
        self._stopping = threading.Event()
        self.paused = self._commanded.paused(source.name)
        """Whether it does not listen, by command."""
        self._let_go = False
        """Whether the source was closed for a pause. The pause may be over before the source has ended."""
        self._source: Source | None = None
        # A daemon thread: a driver that hangs in a read cannot be interrupted, and must not delay the exit.
        self._thread = threading.Thread(target=self._run, name=f"listen {source.name}", daemon=True)

    def start(self) -> None:
        """Begin to listen. Once only. It has published that nothing is heard yet when this returns."""
        self._say_silent("paused" if self.paused else "starting")
        if self.paused:
            _log.warning(
                '%s: paused by command: it is not listened to until a command says {"paused": false}', self.name
            )
        if self._live:
            self._tell(self._vitals.starting(self._publisher))
        self._thread.start()

    def command(self, payload: bytes) -> None:
        """Take a `set` payload, from any thread. It is obeyed and answered within a second.

        Of a flood of them, those that find too many waiting are dropped, with one warning.
        """
        if self._commands.qsize() >= _MOST_COMMANDS:
            if not self._flooded:
                _log.warning("%s: more than %d commands wait; others are dropped", self.name, _MOST_COMMANDS)
            self._flooded = True
            return
        # Of a payload that is too long, only so much is kept that it can be refused.
        self._commands.put(payload[: LONGEST_PAYLOAD + 1])

    def adopt(self, model: Model) -> None:
        """Go on with another model, from the next answer on; from any thread."""
        self._commands.put(model)

    def stop(self) -> None:
        """End soon, from any thread; music that is on is ended. Idempotent."""
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
        """Whether it failed in a way that opening the source again would not mend."""
        return self.error is not None and not isinstance(self.error, SourceError)

    @property
    def alive(self) -> bool:
        """Whether it still listens."""
        return self._thread.is_alive()

    @property
    def said(self) -> tuple[Music, str] | None:
        """The latest state and its reason, as published; None before the first."""
        return self._reporter.said

    def guard(self, now: float) -> None:
        """Publish that a live source cannot be heard, if its next answer is overdue; from another thread.

        Otherwise the latest state would stay published when a read or an inference hangs, or the thread died.
        Music that is on is ended by the listener's own thread when that goes on, or by `abandon`.

        Args:
            now: time.monotonic().
        """
        if self._reporter.day_over(time.time()):
            self._say(lambda: self._reporter.summarised(time.time()), timeout_s=_SPEAKING_S)
        late = self._live and self.liveness.doing == "hearing" and self.liveness.overdue(now)
        if not late or self.said == (Music.UNKNOWN, "no audio"):
            return
        _log.warning("%s: nothing was heard of it in time; it counts as not hearing until it is", self.name)
        self._say(lambda: self._reporter.silent("no audio"), timeout_s=_SPEAKING_S)

    def abandon(self) -> None:
        """End the music for a thread that was stopped but hangs; from now on that thread publishes nothing.

        The decision belongs to that thread, but is safe to use here: the thread makes no step while it hangs, and
        nothing that it decides later is published.
        """
        decision = self._decision
        step = decision.lose() if decision is not None else None

        def last_words() -> list[Message]:
            self._abandoned = True
            return self._reporter.silent("no audio", step)

        self._say(last_words, timeout_s=_SPEAKING_S)
        self._abandoned = True  # also if the thread hangs while publishing, and `_say` gave up
        self.liveness = liveness.ENDED
        _log.warning("%s: its source hangs; leaving it behind", self.name)

    def _say(self, messages: Callable[[], Iterable[Message]], *, timeout_s: float = -1) -> None:
        """Publish the reporter's messages in their order. The reporter is used only through here."""
        if not self._speaking.acquire(timeout=timeout_s):
            return
        try:
            if not self._abandoned:
                for message in messages():
                    self._publisher.publish(message)
        finally:
            self._speaking.release()

    def _run(self) -> None:
        """The thread."""
        try:
            while not self._stopping.is_set():
                if self.paused:
                    self.liveness = liveness.paused(time.monotonic())
                    self._obey(wait_s=liveness.PAUSED_S)
                elif not self._listen_once():
                    break
        except OidoError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - the daemon must end with it
            # Otherwise the process would go on, deaf, and say nothing.
            _log.exception("listening to %s failed in an unforeseen way", self.name)
            self.error = OidoError(f"{self.name}: listening failed: {error!r}")
        self.liveness = liveness.ENDED

    def _listen_once(self) -> bool:
        """Open the source and hear it to its end. False if there is nothing to hear after that."""
        self.liveness = liveness.opening(time.monotonic())
        self._vitals.opened()
        decision = self._decision = Decision(self._rules)
        self._heard_since = None
        origin = time.time() if self._origin is None else self._origin
        self._reporter.restarted(origin)
        self._let_go = False
        source = self._source = self._open_source()
        if self._stopping.is_set():  # `stop` may have come before there was a source to close
            source.close()
        try:
            classifier = self._classifier = Classifier(self._model)
            observations = listen(
                source,
                classifier,
                decision,
                flat_line_limit_s=self._flat_line_limit_s,
                origin=origin,
            )
            for observation in observations:
                self._must_be_in_time()
                self._observed(observation)
                self._note(decision)
                self._obey(wait_s=0)
                next_s = classifier.next_samples / SAMPLE_RATE
                self.liveness = liveness.hearing(time.monotonic(), stall_s=self._stall_s, next_s=next_s)
        except SourceError as error:
            return self._lost(error, decision)
        except Exception:
            # The listener ends, but music must not stay on for ever.
            self._close(decision)
            raise
        finally:
            self._source = self._classifier = None
            source.close()
        if self._let_go:
            # The pause may be over already.
            self._say_silent("paused" if self.paused else "starting")
            return True
        if not self._endless or self._stopping.is_set():
            return False
        return self._lost(SourceError(f"{self.name}: the source has ended"), decision)

    def _must_be_in_time(self) -> None:
        """Begin anew when this thread or the whole process stood still: what was heard before says nothing now.

        Raises:
            SourceLost: it did.
        """
        if self._endless and self.liveness.doing == "hearing" and self.liveness.overdue(time.monotonic()):
            raise SourceLost(f"{self.name}: it was not listened to for a while")

    def _lost(self, error: SourceError, decision: Decision) -> bool:
        """Publish that nothing is heard, and wait before the next attempt. False if there is none."""
        self._close(decision)
        if self._let_go or self._stopping.is_set():
            return True
        if not self._endless:
            self.error = error
            return False
        self.counts.losses += 1
        wait_s = self._backoff.next_s()
        # Each reason is logged once: without a microphone the service would fill the journal and wear the SD card.
        if str(error) != self._excuse:
            self._excuse = str(error)
            _log.warning("%s; trying again in %.1f s, and so on until it is back", error, wait_s)
        deadline = time.monotonic() + wait_s
        while (left_s := deadline - time.monotonic()) > 0 and not self._stopping.is_set() and not self.paused:
            self.liveness = liveness.waiting(time.monotonic(), wait_s=left_s)  # again, as a command changes it
            self._obey(wait_s=left_s)
        return True

    def _close(self, decision: Decision) -> None:
        """Publish that nothing is heard any more, and the end of music that was on."""
        self._say_silent("paused" if self._let_go else "no audio", decision.lose())

    def _observed(self, observation: Observation) -> None:
        if observation.condition == "hearing":
            now = time.monotonic()
            if self._heard_since is None:
                self._heard_since = now
            if now - self._heard_since >= SETTLED_S:
                self._backoff.reset()
                self._excuse = ""
        self._vitals.observed(observation)
        self._say(lambda: self._reporter.observed(observation))
        telemetry = self._vitals.telemetry(observation, self._publisher)
        if telemetry is not None:
            self._tell(telemetry)

    def _tell(self, telemetry: Telemetry) -> None:
        if not self._abandoned:
            self._publisher.publish(telemetry_message(self._topics, self.name, telemetry))

    def _note(self, decision: Decision) -> None:
        """Note how far the music that is on was heard, in case this process is killed."""
        until = decision.heard_until
        playing = None if until is None else self._reporter.playing(until)
        if playing is not None:
            self._journal.playing(self.name, *playing)

    def _say_silent(self, reason: str, step: Step | None = None) -> None:
        self._say(lambda: self._reporter.silent(reason, step))

    def _obey(self, *, wait_s: float) -> None:
        """Carry out the commands that wait, but not so many that sound is lost; wait so long for the first."""
        until = time.monotonic() + wait_s + _OBEYING_S
        while wait_s > 0 or time.monotonic() < until:
            try:
                command = self._commands.get(wait_s > 0, wait_s)
            except queue.Empty:
                self._flooded = False
                return
            if command is None:
                return
            if isinstance(command, bytes):
                self._carry_out(command)
            else:
                self._adopt(command)
            wait_s = 0

    def _carry_out(self, payload: bytes) -> None:
        try:
            command = parse_command(payload)
        except CommandError as error:
            _log.warning("ignored a command for %s: %s", self.name, error)
            self._respond(error.transaction, str(error))
            return
        command = self._with_configured(command)
        try:
            self._apply(command)
        except ModelError as error:
            _log.warning("%s: the model stays as it is: %s", self.name, error)
            self._respond(command.transaction, str(error))
            return
        warning = self._keep(command)
        if warning is not None:
            _log.warning("%s: %s", self.name, warning)
        self._respond(command.transaction, None, warning)

    def _with_configured(self, command: Command) -> Command:
        """The command with what it takes back set to what the configuration says."""
        configured: dict[str, Any] = {
            "mode": self._config.model.mode,
            "model": self._config.model.name,
            "log_level": self._config.log.level,
        }
        return replace(command, **{key: configured[key] for key in command.reset})

    def _keep(self, command: Command) -> str | None:
        """Store what the command has set; why that is not possible, in a sentence, or None."""
        self.liveness = liveness.opening(time.monotonic())  # a disk may take seconds
        keep = partial(self._commanded.set, self.name)
        if command.paused is not None:
            keep("paused", command.paused, configured=False)
        if command.mode is not None:
            keep("mode", command.mode, configured=self._config.model.mode)
        if command.model is not None:
            keep("model", command.model, configured=self._config.model.name)
        if command.log_level is not None:
            keep("log_level", command.log_level, configured=self._config.log.level)
        return self._commanded.save()

    def _apply(self, command: Command) -> None:
        """Change what the command says.

        Raises:
            ModelError: there is no such model, or it cannot be used; nothing has changed.
        """
        if command.model is not None:
            if self._change_model is None:
                raise ModelError("the model of this device cannot be changed by a command")
            self.liveness = liveness.opening(time.monotonic())  # sound waits in the source meanwhile
            self._adopt(self._change_model(command.model))
        if command.log_level is not None:
            logging.getLogger().setLevel(command.log_level.upper())
        if command.mode is not None:
            self._reporter.mode = command.mode
            self._restate()
        if command.paused is not None and command.paused != self.paused:
            self.paused = command.paused
            # A pause closes the source; it does not only ignore its sound.
            if self.paused and self._source is not None:
                self._let_go = True
                self._source.close()
            elif self.paused:
                self._say_silent("paused")
            elif self._source is None:
                self._say_silent("starting")

    def _adopt(self, model: Model) -> None:
        """Go on with this model.

        Raises:
            ModelError: it reads something that this program does not compute.
        """
        if model is self._model:
            return
        if self._classifier is not None:
            self._classifier.replace(model)
        self._model = model
        self._reporter.model = model.sidecar.name
        self._restate()

    def _restate(self) -> None:
        """Decide by the rules of a new model or mode, and publish the state with its name."""
        if self._decision is not None:
            self._decision.rules = self._rules
        self._say(self._reporter.restated)

    @property
    def _rules(self) -> Rules:
        return rules(self._config.decision, self._model, self._reporter.mode)

    def _respond(self, transaction: str | None, error: str | None, warning: str | None = None) -> None:
        response = Response(
            transaction=transaction,
            ok=error is None,
            error=error,
            warning=warning,
            paused=self.paused,
            mode=self._reporter.mode,
            model=self._model.sidecar.name,
            log_level=_log_level(),
        )
        self._publisher.publish(response_message(self._topics, self.name, response))


def _log_level() -> LogLevel:
    """The level of the log; one between ours counts as the next lower one."""
    levels: dict[LogLevel, int] = {"error": 40, "warning": 30, "info": 20}
    level = logging.getLogger().getEffectiveLevel()
    return next((name for name, least in levels.items() if level >= least), "debug")
