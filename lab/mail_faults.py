"""What may go wrong with a mail: refusals, breaks and silences at each step of an SMTP session.

Source: https://www.rfc-editor.org/rfc/rfc5321#section-4.2
"""

import threading
from dataclasses import dataclass
from typing import Literal

Step = Literal["connect", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "end"]
"""A command of the client; `connect` is before the first one, `end` the dot after the text."""


@dataclass(frozen=True)
class MailFault:
    """What happens at one step.

    `answer`: the command is not looked at, `reply` is answered; after a 421 the server closes.
    `cut`: the connection breaks before the command is looked at.
    `lost`: only at `end`: the mail is taken, and the connection breaks before the answer.
    `hang`: no answer comes, until the client has had enough.
    """

    step: Step
    kind: Literal["answer", "cut", "lost", "hang"] = "answer"
    reply: str = "451 4.3.0 Try again later"
    about: str = ""
    """Only a command that contains this, as a `RCPT` contains the recipient; others pass by."""


GREYLISTED = MailFault("RCPT", reply="451 4.7.1 Greylisted, please try again in five minutes")
MAILBOX_FULL = MailFault("RCPT", reply="452 4.2.2 The mailbox is full")
CLOSING = MailFault("MAIL", reply="421 4.3.2 Service not available, closing the channel")
WRONG_CREDENTIALS = MailFault("AUTH", reply="535 5.7.8 Username and Password not accepted")
BASIC_AUTH_OFF = MailFault(
    "AUTH", reply="550 5.7.30 Basic authentication is not supported for Client Submission."
)
SENDER_REFUSED = MailFault("MAIL", reply="553 5.7.1 Sender address not owned by this user")
POLICY = MailFault("end", reply="554 5.7.1 Message refused by policy")
TOO_LARGE = MailFault("end", reply="552 5.3.4 Message size exceeds the limit")
LOST = MailFault("end", "lost")
CUT = MailFault("DATA", "cut")
HANG = MailFault("end", "hang")


def no_such_mailbox(address: str) -> MailFault:
    """`address` is refused for good, other recipients are not."""
    return MailFault("RCPT", reply="550 5.1.1 No such mailbox", about=f"<{address}>")


class MailFaults:
    """Faults yet to happen, in order, each once. Safe to use from several threads."""

    def __init__(self) -> None:
        self._pending: list[MailFault] = []
        self._always: tuple[MailFault, ...] = ()
        self._lock = threading.Lock()

    def next(self, fault: MailFault, times: int = 1) -> None:
        """The next `times` commands that the fault applies to suffer it."""
        with self._lock:
            self._pending.extend([fault] * times)

    def always(self, *faults: MailFault) -> None:
        """Each command suffers the first that applies to it, until this is called anew."""
        with self._lock:
            self._always = faults

    def take(self, step: str, said: str = "") -> MailFault | None:
        """What happens to a command `step` with the arguments `said`."""
        with self._lock:
            for fault in self._pending:
                if _applies(fault, step, said):
                    self._pending.remove(fault)
                    return fault
            return next((fault for fault in self._always if _applies(fault, step, said)), None)


def _applies(fault: MailFault, step: str, said: str) -> bool:
    return fault.step == step and fault.about.lower() in said.lower()
