"""A destination: a configured place to deliver to. Its kind is its file in `destinations/`."""

from collections.abc import Callable
from enum import StrEnum
from typing import ClassVar, Self, TypeVar

from pydantic import BaseModel, SecretStr, field_validator

from shared import secret_refs
from shared.errors import Mistake
from shared.secret_refs import SecretRef
from shared.settings import check_url
from subscriber.actions import Action, Handle
from subscriber.outbound import Outbound

T = TypeVar("T")


class Does(StrEnum):
    """What a kind is for: alerts are opened and closed, people told, dashboards refreshed."""

    ALERT = "alert"
    TELL = "tell"
    REFRESH = "refresh"


class Destination(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """The fields of a kind are its configuration; those of type SecretStr hold references.

    `base_url` is every kind's: another region, a host of one's own, a stand-in.
    """

    does: ClassVar[Does]
    repeatable: ClassVar[bool]
    """Whether the vendor absorbs a repeat: else it costs, or people see it twice."""

    base_url: str

    def deliver(self, action: Action, outbound: Outbound) -> Handle:
        """Say it in the vendor's words, once. `self` holds the secrets themselves by now.

        Raises TemporaryFailure or PermanentFailure. May be called again for the same action when
        nobody knows whether the first time worked.
        """
        raise NotImplementedError

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
        return _told(lambda: check_url(value))

    @field_validator("*")
    @classmethod
    def _secrets_are_references(cls, value: object) -> object:
        if isinstance(value, SecretStr):
            _told(lambda: secret_refs.parse(value.get_secret_value()))
        return value


def _told(check: Callable[[], T]) -> T:
    try:
        return check()
    except Mistake as mistake:
        raise ValueError(str(mistake)) from None
