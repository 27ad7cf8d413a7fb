"""A line to a broker that can be cut and mended."""

import contextlib
import socket
import threading
from typing import Self

from waiting import free_port


class Line:
    """A stretch of network to the broker: a TCP relay that can be cut and mended."""

    def __init__(self, to_port: int) -> None:
        """Mended, on a port of its own."""
        self.port = free_port()
        self._to_port = to_port
        self._listener: socket.socket | None = None
        self._ends: set[socket.socket] = set()
        self.mend()

    def __enter__(self) -> Self:
        """Already mended."""
        return self

    def __exit__(self, *_: object) -> None:
        """Cut."""
        self.cut()

    def mend(self) -> None:
        """Let connections through again."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), name="line", daemon=True).start()

    def cut(self) -> None:
        """Break all connections, and refuse new ones."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.interrupt()

    def interrupt(self) -> None:
        """Break all connections; new ones are possible at once."""
        for end in list(self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=self._relay, args=(near,), name="line", daemon=True).start()

    def _relay(self, near: socket.socket) -> None:
        with near:
            try:
                far = socket.create_connection(("127.0.0.1", self._to_port))
            except OSError:
                return
            with far:
                self._ends |= {near, far}
                back = threading.Thread(target=self._pump, args=(far, near), name="line", daemon=True)
                back.start()
                self._pump(near, far)
                back.join()
                self._ends -= {near, far}

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
