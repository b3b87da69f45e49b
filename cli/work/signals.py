"""Signals: told to stop, once, politely; told twice, at once."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[None]:
    """Have the first signal call `stop`, in a thread; a second one ends the process there.

    Not in a handler, which interrupts the main thread wherever it is: it may hold a lock that
    `stop` needs.
    """
    read, write = socket.socketpair()
    write.settimeout(0)
    former_fd = signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
    former = {number: signal.signal(number, _nothing) for number in STOPPING}
    listening = threading.Thread(target=_listen, args=(read, stop), name="signals", daemon=True)
    listening.start()
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(former_fd)
        write.close()
        listening.join()
        read.close()


def leave(code: int) -> None:
    """End the process without waiting for any thread."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _listen(read: socket.socket, stop: Callable[[], None]) -> None:
    is_told = False
    while received := read.recv(1):
        if received[0] not in STOPPING:
            continue
        if is_told:
            leave(128 + received[0])
        is_told = True
        stop()


def _nothing(*_: object) -> None:
    """The byte that Python writes for a signal which has a handler is what counts."""
