"""A thousand devices on one broker that is restarted under them. Exit code 1 if an event is lost or out of order.

    python tests/soak/fleet.py [--devices 1000] [--seconds 150] [--events-per-minute 10] [--restarts 2]
                               [--restart term|kill] [--down-s 0] [--workers N] [--json FILE] [--plot FILE]

Every device (fleet_devices.py) is `oido run` without its ears: its own name, SQLite outbox on disk, states,
telemetry, Home Assistant discovery, last will, and the real MQTT publisher. All connect in the same moment to a
real mosquitto with persistence, whose subscriber has a persistent session and QoS 1. Meanwhile the broker ends and
returns: `term` in order, as `systemctl restart` does; `kill` with SIGKILL, as a crash does, after it has saved its
subscriptions once (what `autosave_interval` does in time; here SIGUSR1 asks for it).

An event is lost if its device recorded it and the subscriber never gets it. Repetitions are allowed (QoS 1) if
they are the same, byte for byte. A device repeats an event until the broker acknowledges it, so only a broker that
has acknowledged an event can lose it. One that ends in order saves what it still owes its subscribers; one that is
killed loses that, which no device can know: such a loss fails the run too, and is counted by itself.

Delivery is measured from the device's decision (before the event is on its disk) to the subscriber: `start` while
the first storm lasts, `restart` from the broker's end until all that waited has arrived, `steady` otherwise.

Needs mosquitto and what the tests need (pip install '.[dev]'). Progress goes to standard error, a table to
standard output. Ctrl-C and SIGTERM end everything at once; exit code 130.
"""

# ruff: noqa: E402, T201 - a script: it finds the repository first, and prints

import argparse
import json
import math
import resource
import shutil
import signal
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "integration")]

from soak.fleet_run import DEVICES_A_WORKER, Plan, soak_fleet
from soak.fleet_table import figures_of, table

_DESCRIPTORS_TO_SPARE = 500


def _show(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    plan = Plan()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=plan.devices)
    parser.add_argument("--seconds", type=float, default=plan.seconds, help="while events are recorded")
    parser.add_argument("--events-per-minute", type=float, default=plan.events_per_minute, help="of each device")
    parser.add_argument("--restarts", type=int, default=plan.restarts)
    parser.add_argument("--restart", choices=("term", "kill"), default=plan.restart)
    parser.add_argument("--down-s", type=float, default=plan.down_s, help="how long the broker stays away")
    parser.add_argument("--workers", type=int, default=0, help="processes (default: one for 100 devices)")
    parser.add_argument("--seed", type=int, default=plan.seed)
    parser.add_argument("--broker", action="append", default=[], metavar="LINE", help="more of mosquitto.conf")
    parser.add_argument("--directory", type=Path, help="for the devices' state (default: a temporary one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="a PNG of delivery times through the restarts")
    arguments = parser.parse_args()
    if arguments.workers < 0 or arguments.restarts < 0 or arguments.down_s < 0:
        parser.error("--workers, --restarts and --down-s are not below 0")
    if arguments.seconds <= 0 or arguments.events_per_minute <= 0:
        parser.error("--seconds and --events-per-minute are above 0")
    most = DEVICES_A_WORKER * arguments.workers or math.inf
    if not max(1, arguments.workers) <= arguments.devices <= most:
        parser.error(f"each process takes 1 to {DEVICES_A_WORKER} devices; change --devices or --workers")
    return arguments


def _allow_descriptors(devices: int) -> None:
    """Let the broker, which inherits it, hold a connection of every device."""
    wanted = 2 * devices + _DESCRIPTORS_TO_SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise SystemExit(
                f"{devices} devices need {wanted} descriptors, and {hard} are allowed: see ulimit -Hn"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> int:
    """Soak; 0 if every event arrived, in order."""
    arguments = _arguments()
    if shutil.which("mosquitto") is None:
        raise SystemExit("mosquitto is not installed (apt install mosquitto)")
    _allow_descriptors(arguments.devices)
    plan = Plan(
        devices=arguments.devices,
        seconds=arguments.seconds,
        events_per_minute=arguments.events_per_minute,
        restarts=arguments.restarts,
        restart=arguments.restart,
        down_s=arguments.down_s,
        workers=arguments.workers,
        seed=arguments.seed,
        broker="\n".join(arguments.broker),
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="oido-fleet-", dir=arguments.directory) as folder:
            outcome = soak_fleet(Path(folder), plan, show=_show)
    except KeyboardInterrupt:
        _show("stopped")
        return 130
    figures = figures_of(outcome)
    print(table(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if arguments.plot:
        from soak.fleet_plot import draw  # noqa: PLC0415 - matplotlib only where a picture is wanted

        draw(
            arguments.plot,
            recorded=outcome.recorded,
            first=outcome.verdict.first,
            recoveries=outcome.recoveries,
            sessions=outcome.sessions,
        )
    print("ok" if outcome.good else "FAILED")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
