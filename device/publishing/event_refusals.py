"""When an event that a broker refuses is tried again, and when it is set aside. Pure.

An access list may still be loading, or be mended in a minute: an event is sent three times, a while apart.
Meanwhile later events of other topics go on. After three refusals of one topic, its next event needs to be refused
only once.
"""

MOST_REFUSALS = 3
"""So many, a while apart, are for good."""


class EventRefusals:
    """Counts the refusals of each topic in a row."""

    def __init__(self, *, apart_s: float) -> None:
        """Know of none.

        Args:
            apart_s: refusals that follow sooner count as one, as when sessions are short.
        """
        self._apart_s = apart_s
        self._counts: dict[str, tuple[int, float]] = {}
        """How many, and when the latest one counted."""
        self._due: dict[str, float] = {}
        """When to try a topic again."""

    def refused(self, topic: str, now: float) -> bool:
        """An event of this topic was refused at `now`, monotonic: whether that is for good."""
        count, at = self._counts.get(topic, (0, now - self._apart_s))
        if now - at >= self._apart_s:
            count, at = count + 1, now
        self._counts[topic] = count, at
        self._due[topic] = at + self._apart_s
        return count >= MOST_REFUSALS

    def taken(self, topic: str) -> None:
        """An event of this topic was acknowledged."""
        self._counts.pop(topic, None)

    def due(self, now: float) -> list[str]:
        """The topics to try again; each is named once."""
        found = [topic for topic, at in self._due.items() if now >= at]
        for topic in found:
            del self._due[topic]
        return found
