"""The page of figures, over HTTP, in a thread of its own.

One thread serves all clients and waits for none: it reads and writes what each is ready for, and drops whoever has
not sent its request and read the answer in time. So a client that sends or reads nothing delays neither the others
nor the end.
"""

import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from device.errors import OidoError
from device.monitoring.metrics import CONTENT_TYPE

_log = logging.getLogger(__name__)

_PATIENCE_S = 5.0
"""How long a client may take, from its connection to the end of the answer."""

_MOST_CLIENTS = 16
"""At the same time; of more, the one that came first is dropped."""

_LONGEST_REQUEST = 8_192
"""Bytes of the request and its headers."""

_NAP_S = 0.1
"""Between attempts to accept a client that cannot be accepted."""

_LOOK_S = 1.0
"""How often clients that are too slow are looked for."""


class MetricsServer:
    """Answers `GET /metrics` from one thread named `metrics` that it owns."""

    def __init__(self, host: str, port: int, *, page: Callable[[], str]) -> None:
        """Listen; answers begin with `start`.

        Args:
            host: which of this machine's addresses, or a name of it.
            port: 0 takes any free port; the property `port` says which.
            page: makes the text; called in the server's thread.

        Raises:
            OidoError: the address cannot be had.
        """
        try:
            self._listening = _listening(host, port)
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that IDNA cannot encode
            why = getattr(error, "strerror", None) or error
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            raise OidoError(
                f"[metrics]: cannot listen on {where}: {why}; choose another port, or an address of this machine"
            ) from error
        self._page = page
        self._failed = False
        """Whether the page could not be made, which is logged once."""
        self._wake_out, self._wake_in = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self._listening.getsockname()[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop at once, whatever clients do. Idempotent."""
        self._wake_in.close()
        if self._thread.is_alive():
            self._thread.join()
        self._wake_out.close()
        self._listening.close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _serve(self) -> None:
        """The thread."""
        clients: list[_Client] = []
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._wake_out, selectors.EVENT_READ)
                selector.register(self._listening, selectors.EVENT_READ)
                while self._step(selector, clients):
                    pass
        except Exception:  # noqa: BLE001 - the device listens on without its metrics
            _log.exception("the metrics are no longer served")
        finally:
            for client in clients:
                client.connection.close()

    def _step(self, selector: selectors.BaseSelector, clients: "list[_Client]") -> bool:
        """Do what can be done without waiting for anybody; False once the server is to stop.

        Args:
            selector: of all sockets.
            clients: the oldest first.
        """
        served = []
        for key, _ in selector.select(_LOOK_S):
            if key.fileobj is self._wake_out:
                return False
            if key.fileobj is self._listening:
                self._accept(selector, clients)
            elif not self._go_on_with(key.data, selector):
                served.append(key.data)
        now = time.monotonic()
        gone = [client for client in clients if now > client.deadline]
        gone += [client for client in clients[:-_MOST_CLIENTS] if client not in gone]
        for client in gone + [client for client in served if client not in gone]:
            clients.remove(client)
            selector.unregister(client.connection)
            client.connection.close()
        return True

    def _accept(self, selector: selectors.BaseSelector, clients: "list[_Client]") -> None:
        try:
            connection, _ = self._listening.accept()
        except OSError:  # it has gone already, or the process has no file left for it
            time.sleep(_NAP_S)
            return
        connection.setblocking(False)
        client = _Client(connection, deadline=time.monotonic() + _PATIENCE_S)
        clients.append(client)
        selector.register(connection, selectors.EVENT_READ, client)

    def _go_on_with(self, client: "_Client", selector: selectors.BaseSelector) -> bool:
        """Read or write what this client is ready for; False when it is served or has gone."""
        try:
            if client.answer:
                client.answer = client.answer[client.connection.send(client.answer) :]
                return bool(client.answer)
            received = client.connection.recv(_LONGEST_REQUEST)
        except OSError:
            return False
        client.request += received
        ended = not received or len(client.request) >= _LONGEST_REQUEST
        if ended or b"\r\n\r\n" in client.request or b"\n\n" in client.request:
            client.answer = memoryview(self._answer(bytes(client.request)))
            selector.modify(client.connection, selectors.EVENT_WRITE, client)
        return True

    def _answer(self, request: bytes) -> bytes:
        method, _, rest = request.partition(b" ")
        target = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return _response("501 Not Implemented")
        if target.rstrip() != b"/metrics":
            return _response("404 Not Found")
        try:
            body = self._page()
        except Exception:  # noqa: BLE001 - the next client may have better luck
            if not self._failed:
                _log.exception("the page of metrics could not be made; it is tried again at each request")
            self._failed = True
            return _response("500 Internal Server Error")
        return _response("200 OK", body, content_type=CONTENT_TYPE, with_body=method == b"GET")


@dataclass(slots=True, eq=False)
class _Client:
    """One connection."""

    connection: socket.socket
    deadline: float
    """time.monotonic() seconds; then it is dropped."""
    request: bytearray = field(default_factory=bytearray)
    answer: bytes | memoryview = b""
    """What it has not read yet; empty before it has asked."""


def _response(
    status: str, body: str | None = None, *, content_type: str = "text/plain", with_body: bool = True
) -> bytes:
    """HTTP/1.0: one answer, then the end of the connection."""
    content = (f"{status}\n" if body is None else body).encode()
    head = f"HTTP/1.0 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + (content if with_body else b"")


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens at the first address of `host`, IPv4 or IPv6; `::` takes both.

    Raises:
        OSError: there is no such address, or it is taken.
        UnicodeError: it is no name of a host.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    both = family == socket.AF_INET6 and host == "::" and socket.has_dualstack_ipv6()
    listening = socket.create_server(address, family=family, dualstack_ipv6=both)
    listening.setblocking(False)
    return listening
