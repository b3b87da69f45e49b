"""Credentials: a destination with its secrets, those of today or those that opened an episode."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from pydantic import SecretStr, ValidationError

from shared import log, secret_refs
from shared.errors import PermanentFailure, TemporaryFailure
from shared.secret_refs import Secret, SecretGone, SecretRef
from subscriber.actions import Handle
from subscriber.destination import Destination
from subscriber.opened import KeptSecret, Opening
from subscriber.outbound import Outbound
from subscriber.progress import Progress, Running

HANDLE_LIMIT = 2_000  # characters of a key, and of a url

Read = Callable[[SecretRef], Secret]
"""Reads what a reference names; raises PermanentFailure or TemporaryFailure."""


@dataclass(frozen=True)
class Ready:
    """`destination` holds its secrets, `written` their references; `secrets` are by field."""

    destination: Destination
    written: Destination = field(repr=False)
    secrets: Mapping[str, Secret] = field(repr=False)

    def kept(self, handle: Handle) -> Handle:
        """`handle` as it may be kept: bounded, and without a secret that the vendor repeated.

        A key that is longer than any is left out, as if there were none.
        """
        key, url = (each if len(each) <= HANDLE_LIMIT else "" for each in (handle.key, handle.url))
        hidden = self.destination.without_secrets
        return replace(handle, key=hidden(key), url=hidden(url))

    def progress(self, handle: Handle, outbound: Outbound) -> Progress:
        """How far the refresh is, with no secret in what is said or kept of it."""
        with self.destination.keeping_secrets():
            found = self.destination.hiding(self.destination.progress(handle, outbound))
        if isinstance(found, Running) and found.handle is not None:
            return Running(self.kept(found.handle))
        return found

    def opening(self, handle: Handle) -> Opening:
        """What to keep of the episode that this destination has opened."""
        return Opening.by(self.written, self.secrets, handle)


def of_today(written: Destination, read: Read) -> Ready:
    """`written` with the secrets that its references name now.

    Raises TemporaryFailure where one cannot be read: it may be mended meanwhile.
    """
    refs = written.secret_refs()
    return _ready(written, {name: _current(ref, read) for name, ref in refs.items()})


def of_opening(
    opening: Opening,
    configured: Destination | None,
    kinds: Callable[[str], type[Destination]],
    read: Read,
) -> Ready:
    """The destination that opened an episode, to act on it once more.

    What its kind keeps is as it was then, the rest as in `configured`, today's destination of the
    same name. Without one of the same kind it is all as it was.

    Raises TemporaryFailure where a secret of today cannot be read now, PermanentFailure where one
    of then can no longer be had.
    """
    today = configured if configured and configured.kind() == opening.kind else None
    try:
        written = (
            today.as_opened(opening.fields)
            if today
            else kinds(opening.kind).model_validate(opening.fields)
        )
    except (KeyError, ValidationError):
        raise PermanentFailure(
            f"what opened it, a destination of the kind {opening.kind}, cannot be made any more"
        ) from None
    secrets = {}
    for name, ref in written.secret_refs().items():
        if name in opening.secrets and (today is None or name in today.keeps):
            # `ref` is as it was written at the opening: the kind keeps this field, or all are kept
            secrets[name] = _as_it_was(name, ref, opening.secrets[name], today, read)
        else:
            secrets[name] = _current(ref, read)
    return _ready(written, secrets)


def _ready(written: Destination, secrets: Mapping[str, Secret]) -> Ready:
    held = {name: SecretStr(secret.value) for name, secret in secrets.items()}
    return Ready(written.model_copy(update=held), written, secrets)


def _current(ref: SecretRef, read: Read) -> Secret:
    try:
        return read(ref)
    except PermanentFailure as failure:
        log.error("secret unreadable", secret=str(ref), reason=str(failure))
        raise TemporaryFailure(str(failure)) from None


def _as_it_was(
    name: str, then: SecretRef, kept: KeptSecret, today: Destination | None, read: Read
) -> Secret:
    """The secret that was used at the opening, found by its fingerprint where it may be now."""
    now = today.secret_refs()[name] if today else then
    places = [now, then, kept.reference]
    places += today.former_refs(name) if today else ()
    wait_for: list[str] = []
    gone = ""
    for ref in _each_once(places):
        try:
            secret = read(ref)
        except TemporaryFailure as failure:
            wait_for.append(str(failure))
        except SecretGone as failure:
            gone = str(failure) if ref == kept.reference else gone
        except PermanentFailure as failure:
            # what is configured, or pinned but not ours to read, may be mended
            if ref == now or ref.scheme == "secret":
                wait_for.append(str(failure))
        else:
            if secret_refs.fingerprint(secret.value) == kept.fingerprint:
                return Secret(secret.value, kept.reference)
    if wait_for:
        log.error("secret unreadable", secret=str(now), reason=wait_for[0])
        raise TemporaryFailure(wait_for[0])
    formers = f"former_{name}s"
    lists = f" or `{formers}`" if today and formers in type(today).model_fields else ""
    raise PermanentFailure(gone or f"the {name} that opened it is no longer in {now}{lists}")


def _each_once(refs: Iterable[SecretRef]) -> list[SecretRef]:
    return list(dict.fromkeys(refs))
