"""Delivery times of a fleet's events through the restarts of its broker, in one picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from soak.fleet_figures import Key, Recorded, Recovery, phases, waiting

COLOURS = {"start": "tab:green", "steady": "tab:blue", "restart": "tab:red"}
NAMES = {
    "start": "while all connect for the first time",
    "steady": "steady state",
    "restart": "through a restart of the broker",
}


def draw(
    path: Path,
    *,
    recorded: Sequence[Recorded],
    first: Mapping[Key, float],
    recoveries: Sequence[Recovery],
    sessions: Mapping[str, Sequence[float]],
) -> None:
    """Each event's delivery time above, who is connected and what waits below.

    Args:
        path: of the PNG.
        recorded: all events.
        first: when each arrived.
        recoveries: how each storm went by, the start first.
        sessions: when each device's sessions began.
    """
    zero = recoveries[0].storm.began
    with mpl.rc_context({"font.size": 9}):
        figure = Figure(figsize=(10, 6), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        for phase, pairs in sorted(phases(recoveries, recorded, first).items(), reverse=True):
            at, arrived = np.array(pairs).T
            above.plot(
                at - zero,
                (arrived - at) * 1000,
                ".",
                markersize=2,
                color=COLOURS[phase],
                label=NAMES[phase],
                alpha=0.6,
            )
        above.set_yscale("log")
        above.yaxis.set_major_formatter(
            lambda value, _: f"{value:g} ms" if value < 1000 else f"{value / 1000:g} s"
        )
        above.set(ylabel="from the device's decision\nto the subscriber")
        figure.suptitle(_title(recorded, sessions))
        above.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, markerscale=5, frameon=False)
        above.grid(visible=True, axis="y", alpha=0.3)
        for each in recoveries[1:]:
            for axes in (above, below):
                axes.axvspan(
                    each.storm.began - zero, each.storm.up + each.all_back_s - zero, color="0.9", zorder=0
                )
        times, counts = _connected(recoveries, sessions, until=max(first.values()))
        below.plot(times - zero, counts, color="tab:blue", drawstyle="steps-post")
        below.set(xlabel="seconds since the devices were started", ylabel="devices connected")
        below.yaxis.label.set_color("tab:blue")
        beside = below.twinx()
        times_waiting, counts_waiting = waiting(recorded, first)
        beside.plot(np.array(times_waiting) - zero, counts_waiting, color="tab:red", linewidth=0.8)
        beside.set(ylabel="events under way")
        beside.yaxis.label.set_color("tab:red")
        for axes in (below, beside):
            axes.set_ylim(bottom=0)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120)


def _title(recorded: Sequence[Recorded], sessions: Mapping[str, Sequence[float]]) -> str:
    return f"{len(recorded):,} events of {len(sessions):,} devices; grey: the broker is restarted, devices return"


def _connected(
    recoveries: Sequence[Recovery], sessions: Mapping[str, Sequence[float]], *, until: float
) -> tuple["np.ndarray[tuple[int], np.dtype[np.float64]]", "np.ndarray[tuple[int], np.dtype[np.int64]]"]:
    """How many devices have a session: a restart ends all, each later session begins one."""
    steps = [(each.storm.began, 0) for each in recoveries] + [(at, 1) for each in sessions.values() for at in each]
    times, counts = [], []
    count = 0
    for at, begins in sorted(steps):
        count = count + 1 if begins else 0
        times.append(at)
        counts.append(count)
    return np.array([*times, until]), np.array([*counts, count])
