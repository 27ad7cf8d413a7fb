"""device.monitoring: counts of a source, and a page of them that Prometheus understands, on request.

test_metrics.py is about the figures of merit in training.
"""

import contextlib
import http.client
import math
import re
import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from fakes import FakeSource, blocks_of
from hearing_fakes import fake_model, noise
from network_fakes import TINY_MODELS, needs_tflite
from waiting import DEADLINE_S

from device.errors import OidoError
from device.hearing.classifier import Classifier
from device.hearing.decision import Decision, Rules
from device.hearing.models.loading import load_model
from device.monitoring.metrics import CONTENT_TYPE, Figures, SourceFigures, render
from device.monitoring.metrics_server import MetricsServer
from device.monitoring.vitals import LATENCY_BOUNDS_S, Counts, Latencies, Vitals
from device.pipeline import listen
from device.sound import SAMPLE_RATE

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")
Samples = dict[tuple[str, str], float]


def parse(page: str) -> tuple[dict[str, str], Samples]:
    """Types by family and values by name and labels, by the rules of the format; anything else fails.

    Every family has HELP and then TYPE, once, and its samples follow without a break.
    """
    assert page.endswith("\n")
    types: dict[str, str] = {}
    samples: Samples = {}
    helped = ""
    family = ""
    for line in page.splitlines():
        if line.startswith("# HELP "):
            helped = line.split(" ")[2]
            assert helped not in types
        elif line.startswith("# TYPE "):
            family, kind = line.split(" ")[2:]
            assert family == helped
            types[family] = kind
        else:
            matched = SAMPLE.fullmatch(line)
            assert matched, line
            name, labels, value = matched.groups()
            suffixes = ("_bucket", "_sum", "_count") if types[family] == "histogram" else ("",)
            assert name in [family + suffix for suffix in suffixes]
            assert (name, labels or "") not in samples
            samples[name, labels or ""] = float(value)
    return types, samples


def figures(*sources: SourceFigures, version: str = "1.2") -> Figures:
    """Of a process with these sources."""
    return Figures(
        version=version,
        python="3.13.1",
        model="logistic",
        model_sha256="ab" * 32,
        started=1_700_000_000.25,
        resident_bytes=80 * 2**20,
        queued_events=3,
        dropped_events=1,
        sources=sources,
    )


def counts() -> Counts:
    """Some of everything."""
    found = Counts(answers=12, decisions=10, overruns=2, opens=3, losses=2, level_dbfs=-33.5)
    for seconds in (0.0004, 0.0005, 0.003, 2.0):
        found.inference.add(seconds)
    return found


RULES = Rules(on=0.5, off=0.3, min_on_s=1.0, min_off_s=1.0)
ROOM = SourceFigures(name="room", counts=counts(), music="ON")


def test_the_page_can_be_parsed() -> None:
    """Every family has its type, counters end in _total, and the values are those that were given."""
    types, samples = parse(render(figures(ROOM, SourceFigures(name="hall", counts=Counts(), music=None))))
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in types.items())
    assert samples["oido_answers_total", 'source="room"'] == 12
    assert samples["oido_decisions_total", 'source="room"'] == 10
    assert samples["oido_overruns_total", 'source="room"'] == 2
    assert samples["oido_source_losses_total", 'source="room"'] == 2
    assert samples["oido_source_opens_total", 'source="room"'] == 3
    assert samples["oido_outbox_events", ""] == 3
    assert samples["oido_events_dropped_total", ""] == 1
    assert samples["process_start_time_seconds", ""] == 1_700_000_000.25
    assert samples["oido_level_dbfs", 'source="room"'] == -33.5
    assert samples["oido_level_dbfs", 'source="hall"'] == -math.inf


def test_the_histogram_is_cumulative() -> None:
    """Buckets rise to +Inf, which is the count; a bound belongs to its own bucket."""
    _, samples = parse(render(figures(ROOM)))
    buckets = [
        (float(labels.rpartition('le="')[2].rstrip('"')), value)
        for (name, labels), value in samples.items()
        if name == "oido_inference_seconds_bucket"
    ]
    assert [bound for bound, _ in buckets] == [*LATENCY_BOUNDS_S, math.inf]
    assert [value for _, value in buckets] == [2, 2, 2, *[3] * (len(LATENCY_BOUNDS_S) - 3), 4]
    assert samples["oido_inference_seconds_count", 'source="room"'] == 4
    assert samples["oido_inference_seconds_sum", 'source="room"'] == pytest.approx(2.0039)


@pytest.mark.parametrize(("music", "available", "value"), [("ON", 1.0, 1.0), ("OFF", 1.0, 0.0), (None, 0.0, None)])
def test_not_hearing_is_not_zero(music: object, available: float, value: float | None) -> None:
    """A source that cannot hear has no sample in oido_music."""
    source = SourceFigures(name="room", counts=Counts(), music=music)  # type: ignore[arg-type]  # of the table
    _, samples = parse(render(figures(source)))
    assert samples["oido_available", 'source="room"'] == available
    assert samples.get(("oido_music", 'source="room"')) == value


def test_labels_are_escaped() -> None:
    """Quotes, backslashes and line breaks stay inside theirs."""
    _, samples = parse(render(figures(version='1"\\\n')))
    (labels,) = (labels for name, labels in samples if name == "oido_build_info")
    assert r'version="1\"\\\n"' in labels


@pytest.mark.parametrize("hop_s", [0.48, 0.96])
def test_the_histogram_shows_who_falls_behind(hop_s: float) -> None:
    """A device that takes longer than a hop, whichever the model has, is told from one that keeps up."""
    assert hop_s in LATENCY_BOUNDS_S
    late, in_time = Latencies(), Latencies()
    late.add(hop_s + 0.001)
    in_time.add(hop_s)
    assert late.counts != in_time.counts


@needs_tflite
def test_answers_are_counted_not_patches() -> None:
    """A model on patches of 0.96 s answers every 0.48 s: nineteen times in ten seconds."""
    counts = Counts()
    vitals = Vitals(counts, telemetry_interval_s=60)
    model = load_model(str(TINY_MODELS / "embedder.json"))
    for observation in listen(FakeSource(blocks_of(noise(10.0))), Classifier(model), Decision(RULES)):
        vitals.observed(observation)
    page = render(figures(SourceFigures(name="room", counts=counts, music=None)))
    _, samples = parse(page)
    assert samples["oido_answers_total", 'source="room"'] == 19
    assert samples["oido_decisions_total", 'source="room"'] == 19
    assert "patch" not in page


def test_a_flat_line_is_answered_but_decides_nothing() -> None:
    """So answers and decisions differ by what was deaf."""
    counts = Counts()
    vitals = Vitals(counts, telemetry_interval_s=60)
    silence = FakeSource(blocks_of(np.zeros(10 * SAMPLE_RATE, np.float32)))
    for observation in listen(silence, Classifier(fake_model()), Decision(RULES), flat_line_limit_s=5.0):
        vitals.observed(observation)
    assert (counts.answers, counts.decisions) == (10, 5)


def test_latencies_count_every_value_once() -> None:
    """Also those beyond the last bound."""
    latencies = Latencies()
    for seconds in (0.0, 0.96, 1e9):
        latencies.add(seconds)
    assert (sum(latencies.counts), latencies.counts[-1]) == (3, 1)


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    """One that serves a page."""
    with MetricsServer("127.0.0.1", 0, page=lambda: "a 1\n") as started:
        yield started
    assert "metrics" not in [thread.name for thread in threading.enumerate()]


def ask(server: MetricsServer, path: str, method: str = "GET") -> tuple[int, str | None, str]:
    """Status, content type and body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    found = answer.status, answer.getheader("Content-Type"), answer.read().decode()
    connection.close()
    return found


def test_the_page_is_served(server: MetricsServer, capfd: pytest.CaptureFixture[str]) -> None:
    """With its content type, again and again, and without a word in the log."""
    for _ in range(3):
        assert ask(server, "/metrics") == (200, CONTENT_TYPE, "a 1\n")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("path", "method", "status"), [("/", "GET", 404), ("/metrics", "POST", 501)])
def test_nothing_else_is(server: MetricsServer, path: str, method: str, status: int) -> None:
    """Other paths and methods."""
    assert ask(server, path, method)[0] == status


@pytest.mark.parametrize("sent", [b"\0\xff\r\n\r\n", b"GET /" + b"a" * 70_000, b"", b"GET /metrics HTTP/1.0\r\n"])
def test_garbage_and_clients_that_leave_do_no_harm(server: MetricsServer, sent: bytes) -> None:
    """The next one is served."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(sent)
    assert ask(server, "/metrics")[0] == 200


SLOW = {
    "sends nothing": b"",
    "never ends its request": b"GET /metrics HTTP/1.1\r\n",
    "reads nothing": b"GET /metrics HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("sent", SLOW.values(), ids=SLOW)
def test_a_slow_client_delays_neither_the_others_nor_the_end(sent: bytes) -> None:
    """However much it was to read: the next is served, and the server closes while both are connected."""
    page = "a 1\n" * 2_000_000
    with MetricsServer("127.0.0.1", 0, page=lambda: page) as server, contextlib.ExitStack() as clients:
        for _ in range(3):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            client.sendall(sent)
        assert ask(server, "/metrics")[2] == page
        server.close()
    assert "metrics" not in [thread.name for thread in threading.enumerate()]


def test_slow_clients_do_not_take_every_place() -> None:
    """More come than are served at a time: the next is served all the same."""
    with MetricsServer("127.0.0.1", 0, page=lambda: "a 1\n") as server, contextlib.ExitStack() as clients:
        for _ in range(40):
            clients.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        assert ask(server, "/metrics")[2] == "a 1\n"


def test_a_page_that_cannot_be_made_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """The clients get a 500 each, and the server goes on."""

    def page() -> str:
        raise RuntimeError("a bug")

    with MetricsServer("127.0.0.1", 0, page=page) as server:
        assert [ask(server, "/metrics")[0] for _ in range(3)] == [500, 500, 500]
    (record,) = caplog.records
    assert "metrics could not be made" in record.getMessage()
    assert "a bug" in caplog.text


@pytest.mark.parametrize("host", ["::1", "::", "localhost", "0.0.0.0"])  # noqa: S104 - what is tested
def test_every_kind_of_address_is_served(host: str) -> None:
    """IPv6 too; `::` answers IPv4 as well."""
    if host == "::1":
        try:
            socket.create_server((host, 0), family=socket.AF_INET6).close()
        except OSError:
            pytest.skip("this machine has no IPv6")
    with MetricsServer(host, 0, page=lambda: "a 1\n") as server:
        asked = "::1" if host == "::1" else "localhost" if host == "localhost" else "127.0.0.1"
        connection = http.client.HTTPConnection(asked, server.port, timeout=DEADLINE_S)
        connection.request("GET", "/metrics")
        assert connection.getresponse().read() == b"a 1\n"
        connection.close()


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "no.such.host.invalid", "a" * 300])
def test_an_address_that_cannot_be_had_is_said(host: str) -> None:
    """In a sentence that names it."""
    with pytest.raises(OidoError, match=r"\[metrics\]: cannot listen on .*" + re.escape(host[:20])):
        MetricsServer(host, 9090, page=lambda: "")


def test_a_taken_port_is_said(server: MetricsServer) -> None:
    """In a sentence that names it."""
    with pytest.raises(OidoError, match=f"127.0.0.1:{server.port}"):
        MetricsServer("127.0.0.1", server.port, page=lambda: "")
