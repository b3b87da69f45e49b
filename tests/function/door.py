"""A door in front of a server: while it is closed, every connection ends at once."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK_BYTES = 65_536


class Door:
    """`host` is what to connect to; closed to begin with."""

    def __init__(self, listener: socket.socket, behind: str) -> None:
        self.host = f"127.0.0.1:{listener.getsockname()[1]}"
        self.is_open = threading.Event()
        self._listener = listener
        self._behind = behind
        self._connections: list[socket.socket] = []

    def serve(self) -> None:
        with suppress(OSError):  # the listener is closed in the end
            while True:
                outside, _ = self._listener.accept()
                if not self.is_open.is_set():
                    outside.close()
                    continue
                host, _, port = self._behind.rpartition(":")
                inside = socket.create_connection((host, int(port)))
                self._connections += [outside, inside]
                for one, other in ((outside, inside), (inside, outside)):
                    threading.Thread(target=_carry, args=(one, other), daemon=True).start()

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


@contextmanager
def in_front_of(behind: str) -> Iterator[Door]:
    """A door in front of the host:port `behind`, within the block."""
    door = Door(socket.create_server(("127.0.0.1", 0)), behind)
    thread = threading.Thread(target=door.serve, daemon=True)
    thread.start()
    try:
        yield door
    finally:
        door.stop()
        thread.join(5)


def _carry(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(CHUNK_BYTES):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
