"""How a command ends: the exit codes, the same for all of them."""

from enum import IntEnum


class Exit(IntEnum):
    """0 is what was asked for; the others let a script tell what to do about it."""

    FOUND = 1
    """It did what it was asked to, and what it looked at is not as it should be."""
    USAGE = 2
    """The command line cannot be understood."""
    MISTAKE = 3
    """A setting, or a file that was named, is wrong: mend it."""
    REFUSED = 4
    """Another side said no (a wrong token, a missing permission, nothing of that name)."""
    BUSY = 5
    """Another side did not answer, or said not now: the same command may work later."""
    INTERRUPTED = 130
    """Ctrl-C, as a shell reports it."""
    CLOSED_PIPE = 141
    """Whoever read the output has gone, as a shell reports it."""
