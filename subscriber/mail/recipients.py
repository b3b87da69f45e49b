"""Recipients of one mail: who has it, who was refused for good, who is left for another try.

A server takes each of them or not. What is known after a try is kept as a handle, in which each is
a mark of a few characters: the next try does not send again to who has it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

from subscriber.actions import Handle, Unfinished
from subscriber.mail.mailboxes import Mailbox
from subscriber.mail.smtp_line import SmtpReply
from subscriber.mail.smtp_refusals import LATER_S
from subscriber.outbound import Busy, Refused

_HAS_IT = "has it"


@dataclass(frozen=True)
class SoFar:
    """What became of recipients, by their mark: that they have it, or the code of a refusal."""

    ended: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, handle: Handle | None) -> Self:
        """What `handle` says; nothing is known of whom it does not name."""
        ended = {}
        for told in (handle.key if handle else "").split():
            mark, _, code = told.partition(":")
            ended[mark] = code or _HAS_IT
        return cls(ended)

    @property
    def handle(self) -> Handle:
        marks = (
            mark if end == _HAS_IT else f"{mark}:{end}" for mark, end in sorted(self.ended.items())
        )
        return Handle(key=" ".join(marks))

    @property
    def count(self) -> int:
        """How many have it."""
        return sum(end == _HAS_IT for end in self.ended.values())

    def left(self, recipients: Sequence[Mailbox]) -> list[Mailbox]:
        return [each for each in recipients if _mark(each) not in self.ended]

    def refused(self, recipients: Sequence[Mailbox]) -> list[str]:
        """Who of them was refused for good, each with the code."""
        ends = ((each.address, self.ended.get(_mark(each), _HAS_IT)) for each in recipients)
        return [f"{address} ({end})" for address, end in ends if end != _HAS_IT]

    def and_now(self, recipients: Sequence[Mailbox], refused: Mapping[str, SmtpReply]) -> "SoFar":
        """With `recipients` sent to, of whom `refused` were not taken; nobody has it if all are."""
        ended = dict(self.ended)
        for each in recipients:
            reply = refused.get(each.address)
            if reply is None:
                ended[_mark(each)] = _HAS_IT
            elif not reply.is_later:
                ended[_mark(each)] = str(reply.code)
        return SoFar(ended)

    def gone_without(self, refused: Mapping[str, SmtpReply]) -> list[str]:
        """Who of `refused` never gets what others have."""
        return [who for who, reply in refused.items() if self.count and not reply.is_later]

    def check(self, refused: Mapping[str, SmtpReply], said: Mapping[str, str], whole: int) -> None:
        """Raise unless somebody has it and nobody is left; `said` is what to say of `refused`.

        Refused if nobody has it and nobody will; Busy if nobody has it yet; Unfinished if only
        some of the `whole` have.
        """
        later = [who for who, reply in refused.items() if reply.is_later]
        first = next(iter(later or refused), "")
        if later and self.count:
            told = f"{self.count} of {whole} recipients have it, the others not yet; {said[first]}"
            raise Unfinished(told, so_far=self.handle, retry_after_s=LATER_S)
        if later:
            raise Busy(said[first], status=refused[first].code, retry_after_s=LATER_S)
        if not self.count:
            others = f"; so were all {whole} recipients" if whole > 1 else ""
            raise Refused(f"{said[first]}{others}", refused[first].code)


def _mark(mailbox: Mailbox) -> str:
    return sha256(mailbox.address.casefold().encode()).hexdigest()[:10]
