"""A secret in a file of its own, which nobody else can read, and which is never half written."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.webhooks.places import Store
from shared.errors import Mistake, PermanentFailure
from shared.secret_refs import SecretReader, SecretRef


@dataclass(frozen=True)
class SecretFile:
    """The file of a reference `file:/path`."""

    ref: SecretRef

    def holds(self) -> bool:
        try:
            return self._path.stat(follow_symlinks=False).st_size > 0
        except FileNotFoundError:
            return False
        except OSError as error:
            raise Mistake(f"{self._path} cannot be looked at: {error.strerror}") from None

    def value(self) -> str:
        return SecretReader(project=str).read(self.ref)

    @contextmanager
    def prepared(self) -> Iterator[Store]:
        """The new file is there already, beside the place that it will take: mode 600, empty."""
        self._check()
        held = self.holds()
        try:
            file, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        except OSError as error:
            raise Mistake(
                f"{self._path.parent}: no file can be made here: {error.strerror}"
            ) from None
        beside = Path(name)
        try:
            with os.fdopen(file, "wb", buffering=0) as opened:

                def store(secret: str) -> None:
                    self._check()
                    if self.holds() and not held:
                        raise PermanentFailure(f"{self._path} was written by somebody meanwhile")
                    try:
                        opened.write(secret.encode())
                        os.fsync(opened.fileno())
                        beside.replace(self._path)
                    except OSError as error:
                        raise PermanentFailure(
                            f"{self._path} cannot be written: {error.strerror}"
                        ) from None

                yield store
        finally:
            with contextlib.suppress(FileNotFoundError):
                beside.unlink()

    @property
    def _path(self) -> Path:
        return Path(self.ref.name)

    def _check(self) -> None:
        """What is there must be an ordinary file, or nothing: a link leads who knows where."""
        if not self._path.parent.is_dir():
            raise Mistake(f"{self._path.parent} is no folder: create it, readable to you only")
        try:
            found = self._path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return
        except OSError as error:
            raise Mistake(f"{self._path} cannot be looked at: {error.strerror}") from None
        if stat.S_ISLNK(found.st_mode):
            raise Mistake(f"{self._path} is a link, which is not followed: name the file itself")
        if not stat.S_ISREG(found.st_mode):
            raise Mistake(f"{self._path} is no ordinary file")
