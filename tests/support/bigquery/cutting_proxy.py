"""A TCP proxy that cuts connections: at once, or when so many bytes have passed.

Its address stays when the server behind it moves.
"""

import socket
import struct
import threading
import time
from typing import Any

_RESET = struct.pack("ii", 1, 0)  # linger for 0 s: closing sends RST, as a crash does


class CuttingProxy:
    """Listens on a free port, and passes everything on to `target` until told otherwise."""

    def __init__(self, target: str) -> None:
        self.move(target)
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._cut_after_bytes: int | None = None
        self._silenced: set[socket.socket] = set()
        self.delay_seconds = 0.0
        """Of what comes from the target, as on a long way."""
        self.connections = 0
        self.cuts = 0

    def __enter__(self) -> "CuttingProxy":
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        self.cut()

    def move(self, target: str) -> None:
        """Lead connections that are made from now on to `target`, `host:port`."""
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))

    def cut(self) -> None:
        """Break every connection."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
            self._cut_after_bytes = None
            self.cuts += bool(pairs)
        for pair in pairs:
            for end in pair:
                _break(end)

    def swallow(self) -> None:
        """Let every connection stay open, and nothing that it carries arrive any more."""
        with self._lock:
            self._silenced.update(end for pair in self._pairs for end in pair)

    def cut_after(self, count: int) -> None:
        """Break every connection when so many more bytes have gone to the target."""
        with self._lock:
            self._cut_after_bytes = count

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            with self._lock:
                self.connections += 1
                self._pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                args = (source, sink, source is client)
                threading.Thread(target=self._pass, args=args, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        try:
            while data := source.recv(65536):
                if source in self._silenced:
                    continue
                if counts and self._is_due(len(data)):
                    sink.sendall(data[: len(data) // 2])
                    self.cut()
                    return
                time.sleep(0.0 if counts else self.delay_seconds)
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            _break(end)

    def _is_due(self, count: int) -> bool:
        with self._lock:
            if self._cut_after_bytes is None:
                return False
            self._cut_after_bytes -= count
            return self._cut_after_bytes <= 0


def _break(end: Any) -> None:
    try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()
