"""Who is at the keyboard, as others would ask for them."""

import getpass
import socket
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class Author:
    name: str
    source: str
    """Where it was found, for people."""


def author(given: str = "") -> Author:
    """Who was `given`, else who commits here, else who is logged in where."""
    if given.strip():
        return Author(given, "--author")
    if email := _of_git():
        return Author(email, "git config user.email")
    return Author(f"{_user()}@{socket.gethostname()}", "user@host")


def _of_git() -> str:
    try:
        asked = subprocess.run(
            ["git", "config", "user.email"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return asked.stdout.strip() if not asked.returncode else ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "somebody"
