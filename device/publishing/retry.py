"""How long to wait before the next attempt to reach the broker."""

from dataclasses import dataclass

from device.sources.backoff import Backoff


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Waits that double, with jitter: a house full of devices must not return to a broker all at once."""

    first_s: float = 1.0
    longest_s: float = 6.0
    """Short enough that all events are delivered within 10 s of the broker's return, however long it was away."""
    refused_s: float = 60.0
    """So much more after the broker refused the credentials: they rarely mend by themselves, and some brokers
    ban who tries too often. The same where another device has taken the session over: two devices with one client
    id would otherwise throw each other out forever, as fast as they can."""
    settled_s: float = 10.0
    """A session that lasted so long was a success, and the waits start over."""
    rival_s: float = 30.0
    """MQTT 3.1.1 does not say that a session was taken over. But a broker that is there, and has ended three
    sessions running of which each was shorter than this, has most probably given them to another device, which
    comes back as soon as it is thrown out. Sessions that last longer end where a broker is restarted now and then,
    or one node of a cluster after the other, behind an address that always answers."""
    contest_s: float = 300.0
    """Once there is a rival, it has gone only when a session lasts so long: it too waits before it comes back."""

    def backoff(self) -> Backoff:
        """The waits, from the first."""
        return Backoff(first_s=self.first_s, longest_s=self.longest_s)
