"""How long to wait before the next attempt to reach the broker."""

from dataclasses import dataclass

from device.sources.backoff import Backoff


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Waits that double, with jitter, so that many devices do not return to a broker all at once."""

    first_s: float = 1.0
    longest_s: float = 6.0
    """Short enough that all events are delivered within 10 s of the broker's return, however long it was away."""
    refused_s: float = 60.0
    """Waited in addition after a refusal: wrong credentials rarely mend by themselves, and some brokers ban a
    device that tries too often. The same after another device has taken the session over: otherwise two devices
    with one client id would end each other's sessions for ever, as fast as they can."""
    settled_s: float = 10.0
    """After a session that lasted so long, the waits start over."""
    short_s: float = 30.0
    """Three shorter sessions in a row, ended by a broker that answers, most probably mean that another device with
    the same client id took them; MQTT 3.1.1 does not say so. Longer sessions also end when a broker is restarted
    now and then, or the nodes of a cluster one after the other."""
    conflict_s: float = 300.0
    """While two devices compete, a session that lasts so long means that the other one has gone."""

    def backoff(self) -> Backoff:
        """The waits, from the first."""
        return Backoff(first_s=self.first_s, longest_s=self.longest_s)
