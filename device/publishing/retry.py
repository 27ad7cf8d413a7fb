"""How long to wait before the next attempt to reach the broker."""

from dataclasses import dataclass

from device.sources.backoff import Backoff


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Waits that double, with jitter: a house full of devices must not return to a broker all at once."""

    first_s: float = 1.0
    longest_s: float = 60.0
    refused_s: float = 60.0
    """So much more after the broker refused the credentials: they rarely mend by themselves, and some brokers
    ban who tries too often."""
    settled_s: float = 10.0
    """A session that lasted so long was a success, and the waits start over. Shorter ones count as failures:
    two devices with one client id would otherwise throw each other out forever, as fast as they can."""

    def backoff(self) -> Backoff:
        """The waits, from the first."""
        return Backoff(first_s=self.first_s, longest_s=self.longest_s)
