"""The page of figures, over HTTP, in a thread of its own."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Self

from device.errors import OidoError
from device.monitoring.metrics import CONTENT_TYPE

_PATIENCE_S = 2.0
"""How long a client may take to send its request, and to read the answer."""


class MetricsServer:
    """Answers `GET /metrics`, one client at a time, from one thread named `metrics` that it owns."""

    def __init__(self, host: str, port: int, *, page: Callable[[], str]) -> None:
        """Listen; answers begin with `start`.

        Args:
            host: which of this machine's addresses.
            port: 0 takes any free port; the property `port` says which.
            page: makes the text; called in the server's thread.

        Raises:
            OidoError: the address cannot be had.
        """
        try:
            self._server = _Server((host, port), _Handler)
        except OSError as error:
            raise OidoError(
                f"[metrics]: cannot listen on {host}:{port}: {error.strerror or error}; choose another port"
            ) from error
        self._server.page = page
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop. Idempotent."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


class _Server(TCPServer):
    """Not `HTTPServer`, which looks up the host's name and waits where no name server answers."""

    allow_reuse_address = True
    page: Callable[[], str]

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing: a client that went away is no error."""


class _Handler(BaseHTTPRequestHandler):
    """One request, then the end: HTTP/1.0."""

    timeout = _PATIENCE_S
    server: _Server
    server_version = "oido"
    sys_version = ""

    def do_GET(self) -> None:
        """The page, or 404."""
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404)
            return
        body = self.server.page().encode()
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: there is a request every few seconds."""
