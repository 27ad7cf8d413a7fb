"""What a fleet's run gives to read: figures for machines, a table for people."""

import platform
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import paho.mqtt
from soak.fleet_figures import Recovery, Spread, phases, spread
from soak.fleet_run import Outcome

_AFTER = "restart, since the broker's return"


def figures_of(outcome: Outcome) -> dict[str, Any]:
    """Everything worth keeping, as JSON takes it."""
    plan, judged = outcome.plan, outcome.verdict
    return {
        "plan": asdict(plan),
        "workers": outcome.workers,
        "recorded": len(outcome.recorded),
        "arrived": len(judged.first) - judged.unknown,
        "events_per_s": round(len(outcome.recorded) / plan.seconds, 1),
        "messages_per_s": round(outcome.published / plan.seconds, 1),
        "lost": len(judged.lost),
        "lost_though_acknowledged": sum(event.acknowledged is not None for event in judged.lost),
        "dropped_by_outboxes": outcome.dropped,
        "out_of_order": judged.out_of_order,
        "repeated_same_bytes": judged.repeated,
        "repeated_otherwise": judged.altered,
        "never_recorded": judged.unknown,
        "all_came_back": len(outcome.recoveries) == len(outcome.storms),
        "storms": [_storm(each) for each in outcome.recoveries],
        "delivery": {name: asdict(each) for name, each in _delivery(outcome).items()},
        "devices_by_sessions": dict(sorted(Counter(map(len, outcome.sessions.values())).items())),
        "said_goodbye": outcome.goodbyes,
        "subscriber": {
            "connections": outcome.subscriber_connections,
            "remembered": outcome.subscriber_remembered,
        },
        "fleet": {"cpu_s": round(outcome.fleet_cpu_s, 1), "peak_mb": round(outcome.fleet_peak_mb, 1)},
        "broker": {"cpu_s": round(outcome.broker_cpu_s, 1), "peak_mb": round(outcome.broker_peak_mb, 1)},
        "complaints": dict(outcome.complaints.most_common()),
        "versions": {
            "python": platform.python_version(),
            "paho": paho.mqtt.__version__,
            "mosquitto": _mosquitto_version(),
        },
    }


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    rows = list(_rows(figures))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _rows(figures: dict[str, Any]) -> Iterator[tuple[str, str]]:
    plan, subscriber = figures["plan"], figures["subscriber"]
    yield "devices", f"{plan['devices']} in {figures['workers']} processes, {plan['seconds']:g} s"
    yield (
        "events",
        f"{figures['recorded']} recorded, {figures['events_per_s']} a second; {figures['arrived']} arrived",
    )
    yield "messages", f"{figures['messages_per_s']} a second of all kinds"
    yield "lost", f"{figures['lost']}, of which the broker had acknowledged {figures['lost_though_acknowledged']}"
    yield "out of order", str(figures["out_of_order"])
    yield "repeated", f"{figures['repeated_same_bytes']} byte for byte, {figures['repeated_otherwise']} otherwise"
    for storm in figures["storms"]:
        back = ", ".join(f"{who} {storm[f'{who}_back_s']:.2f} s" for who in ("first", "half", "all"))
        dense = f"at most {storm['most_within_100_ms']} within 100 ms"
        away = "" if storm["why"] == "start" else f"broker away {storm['away_s']:.2f} s; "
        yield storm["why"], f"{away}back: {back}, {dense}; all delivered {storm['settled_s']:.2f} s"
    for phase, each in figures["delivery"].items():
        times = ", ".join(f"{name} {each[f'{name}_ms']:.0f} ms" for name in ("p50", "p99", "max"))
        yield f"delivery: {phase}", f"{times} ({each['count']} events)"
    sessions = ", ".join(f"{count} had {number}" for number, count in figures["devices_by_sessions"].items())
    yield "sessions", f"devices: {sessions}; said goodbye: {figures['said_goodbye']}"
    yield (
        "subscriber",
        f"connected {subscriber['connections']} times; the broker knew it {subscriber['remembered']}",
    )
    for who in ("fleet", "broker"):
        yield who, f"{figures[who]['cpu_s']} s of processor, {figures[who]['peak_mb']} MB at most"
    for sentence, count in figures["complaints"].items():
        yield "logged", f"{count} times: {sentence}"


def _delivery(outcome: Outcome) -> dict[str, Spread]:
    found = phases(outcome.recoveries, outcome.recorded, outcome.verdict.first)
    times = {phase: [arrived - at for at, arrived in found[phase]] for phase in ("start", "steady", "restart")}
    returns = [storm.up for storm in outcome.storms if storm.why != "start"]
    times[_AFTER] = [
        arrived - max([at, *(up for up in returns if at <= up <= arrived)]) for at, arrived in found["restart"]
    ]
    spreads = {phase: spread(each) for phase, each in times.items()}
    return {phase: each for phase, each in spreads.items() if each is not None}


def _storm(each: Recovery) -> dict[str, Any]:
    seconds = {
        "away_s": each.storm.up - each.storm.began,
        "first_back_s": each.first_back_s,
        "half_back_s": each.half_back_s,
        "all_back_s": each.all_back_s,
        "settled_s": each.settled_s,
    }
    rounded = {name: round(value, 3) for name, value in seconds.items()}
    return {"why": each.storm.why, **rounded, "most_within_100_ms": each.densest}


def _mosquitto_version() -> str:
    shown = subprocess.run(["mosquitto", "-h"], capture_output=True, text=True, check=False).stdout
    return shown.partition("version ")[2].partition("\n")[0]
