"""A destination: a configured place to deliver to. Its kind is its file in `destinations/`."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, SecretStr, field_validator

from shared import secret_refs
from shared.errors import Failure, Mistake
from shared.secret_refs import SecretRef
from shared.settings import check_url
from subscriber.actions import Action, Handle
from subscriber.examined import Examined
from subscriber.outbound import Outbound
from subscriber.owners import Owner
from subscriber.progress import Failed, Looks, Progress
from subscriber.recorder import Recorder
from subscriber.redaction import REDACTED

T = TypeVar("T")

SECRET_LEAST = 6  # characters


class Does(StrEnum):
    """What a kind is for: alerts are opened and closed, people are told, dashboards refreshed, and
    what else shall run after a run is triggered.
    """

    ALERT = "alert"
    TELL = "tell"
    REFRESH = "refresh"
    TRIGGER = "trigger"

    @property
    def starts(self) -> bool:
        """Whether it starts something elsewhere, once a run, rather than telling anybody."""
        return self in (Does.REFRESH, Does.TRIGGER)


class Destination(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """The fields of a kind are its configuration; those of type SecretStr hold references.

    `base_url` is every kind's: another region, a host of one's own, a stand-in; where the whole
    address is a secret, it is empty, or stands in place of that one's host. Where a kind has a
    field `former_NAMEs` (a tuple of references), it holds what the secret NAME was before.
    """

    does: ClassVar[Does] = Does.ALERT
    repeatable: ClassVar[bool] = True
    """Whether the vendor absorbs a repeat: else it costs, or people see it twice."""
    keeps: ClassVar[frozenset[str]] = frozenset()
    """Fields that stay for an episode as they were when it opened, whatever is configured since."""
    paces: ClassVar[tuple[tuple[int, timedelta], ...]] = ()
    """How many deliveries the vendor takes in how long; several limits hold together."""
    looks: ClassVar[Looks | None] = None
    """When to look at a refresh that was started; None if the answer to it is the end of it."""
    over_http: ClassVar[bool] = True

    base_url: str

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        """Say it in the vendor's words, once. `self` holds the secrets themselves by now.

        `action.opened` is what this method returned when the episode of `action` opened; None if it
        has none, or that is not known. Raises TemporaryFailure or PermanentFailure, or Unfinished
        where part of it is done: then `action.so_far` is, the next time, what that said. May be
        called again for the same action when nobody knows whether the first time worked.
        """
        raise NotImplementedError

    def progress(self, handle: Handle, outbound: Outbound) -> Progress:
        """How far the refresh is for which `deliver` returned `handle`; for kinds with `looks`.

        Raises TemporaryFailure where it cannot be known now, PermanentFailure where it never will.
        Safe to repeat.
        """
        raise NotImplementedError

    def examine(self, outbound: Outbound) -> Examined:
        """What can be seen of it without telling anybody, beginning or changing anything.

        `self` holds the secrets themselves by now. Raises TemporaryFailure or PermanentFailure
        where what was seen keeps it from working. Safe to repeat.
        """
        return Examined("it cannot be tried without telling somebody", is_tried=False)

    def misfit(self, name: str) -> str:
        """Why what is kept for the secret field `name` cannot be right, as far as its form tells.

        Empty if it may be. Shows nothing of it. `self` holds that secret itself by now. Pure.
        """
        return ""

    def shown(self, action: Action) -> str:
        """What it would be told of `action`, for people to look at. Pure.

        `self` holds references still: there is no secret in it. Unless a kind says better, it is
        the requests that `deliver` would make.
        """
        return self._without(requested(self, action), map(str, self.secret_refs().values()))

    @contextmanager
    def keeping_secrets(self) -> Iterator[None]:
        """No failure that is raised within shows a secret of `self`, whoever has repeated it."""
        try:
            yield
        except Failure as failure:
            failure.args = tuple(
                self.without_secrets(each) if isinstance(each, str) else each
                for each in failure.args
            )
            raise

    def hiding(self, found: Progress) -> Progress:
        """`found` without a secret that the vendor has repeated in its reason."""
        return Failed(self.without_secrets(found.reason)) if isinstance(found, Failed) else found

    def without_secrets(self, text: str) -> str:
        """`text` in which somebody may have repeated a secret that `self` holds by now."""
        held = (value for _, value in self if isinstance(value, SecretStr))
        return self._without(text, (each.get_secret_value() for each in held))

    @staticmethod
    def _without(text: str, secrets: Iterable[str]) -> str:
        for secret in secrets:
            # what is shorter would redact half of every sentence
            if len(secret) >= SECRET_LEAST:
                text = text.replace(secret, REDACTED)
        return text

    @classmethod
    def kind(cls) -> str:
        """The name of this kind, which is that of its file."""
        return cls.__module__.rpartition(".")[2]

    def tells_ends(self) -> bool:
        """Whether a kind that alerts is also told how runs ended that were no problem."""
        return False

    def for_owner(self, owner: Owner) -> Self:
        """The same destination, reaching `owner`; where the kind knows no such way, as it is."""
        return self

    def mentioning(self, owners: Sequence[Owner]) -> Self:
        """The same destination, calling `owners` to what it tells; else as it is."""
        return self

    def as_written(self) -> dict[str, Any]:
        """Its configuration as JSON, references in place of secrets; before `with_secrets` only."""
        formers = {
            name: [str(secret_refs.parse(each.get_secret_value())) for each in value]
            for name, value in self
            if isinstance(value, tuple) and any(isinstance(each, SecretStr) for each in value)
        }
        refs = {name: str(ref) for name, ref in self.secret_refs().items()}
        return self.model_dump(mode="json") | formers | refs

    def as_opened(self, fields: Mapping[str, Any]) -> Self:
        """The same destination with those of `fields` (see `as_written`) that this kind keeps.

        Raises pydantic's ValidationError if they are no longer valid.
        """
        kept = {name: fields[name] for name in self.keeps if name in fields}
        return self.model_validate(dict(self) | kept)

    def former_refs(self, name: str) -> tuple[SecretRef, ...]:
        """Where the former secrets of the field `name` are kept, if this kind has such a list."""
        formers = getattr(self, f"former_{name}s", ())
        return tuple(secret_refs.parse(each.get_secret_value()) for each in formers)

    def secret_refs(self) -> dict[str, SecretRef]:
        """Where each secret of this destination is kept, by the name of its field."""
        return {
            name: secret_refs.parse(value.get_secret_value())
            for name, value in self
            if isinstance(value, SecretStr)
        }

    def with_secrets(self, read: Callable[[SecretRef], str]) -> Self:
        """The same destination, holding the secrets that its references name."""
        values = {name: SecretStr(read(ref)) for name, ref in self.secret_refs().items()}
        return self.model_copy(update=values)

    @field_validator("base_url")
    @classmethod
    def _is_a_url_we_may_post_to(cls, value: str) -> str:
        if not value and cls.model_fields["base_url"].default == "":
            return value
        return _told(lambda: check_url(value))

    @field_validator("*")
    @classmethod
    def _secrets_are_references(cls, value: object) -> object:
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, SecretStr):
                _told(partial(secret_refs.parse, each.get_secret_value()))
        return value


def requested(destination: Destination, action: Action) -> str:
    """The requests that `destination` makes to deliver `action`, none of which goes out."""
    recorder = Recorder()
    with suppress(Failure):  # of an answer that says nothing
        destination.deliver(action, recorder)
    return "".join(recorder.requests)


def as_text(body: object) -> str:
    """`body` as JSON that people can read: what `shown` shows of kinds that are told JSON."""
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def _told(check: Callable[[], T]) -> T:
    try:
        return check()
    except Mistake as mistake:
        raise ValueError(str(mistake)) from None
