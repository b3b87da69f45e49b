"""Threads of mails: an episode is one, opened by the mail that its other mails answer. Pure.

Mail programs thread by Message-ID and References; Gmail only while the subject stays the same, but
for `Re:` before it. So the opening's handle keeps both its id and its subject.

Source: https://www.rfc-editor.org/rfc/rfc5322#section-3.6.4
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from subscriber.actions import Action, Handle, Verb, key_with
from subscriber.cutting import cut, one_line

HANDLE_LIMIT = 2_000  # characters of a handle that are kept

_FOLLOWS = frozenset({Verb.UPDATE, Verb.REMIND, Verb.CLOSE})
_ID = re.compile(r"<[!-;=?-~]+>")


@dataclass(frozen=True)
class Place:
    """Where a mail stands in its thread; `opened` is the subject of the mail that it answers.

    Both are empty for one that answers none, `opened` also where nothing is known of it.
    """

    message_id: str
    in_reply_to: str = ""
    opened: str = ""


def place(action: Action, domain: str) -> Place:
    """Where the mail about `action` stands; `domain` is the sender's.

    The same action has the same id each time. Where nothing is known of the opening, its mail may
    have arrived all the same: its id follows from the episode.
    """
    own = _id(action.key, domain)
    if action.verb not in _FOLLOWS:
        return Place(own)
    first_line = action.opened.key.partition("\n")[0] if action.opened else ""
    opened_by, _, subject = first_line.partition(" ")
    if _ID.fullmatch(opened_by):
        return Place(own, opened_by, one_line(subject))
    return Place(own, _id(key_with(action.key, Verb.OPEN), domain))


def handle(message_id: str, subject: str, refused: Sequence[str]) -> Handle:
    """What to keep of a mail that went out; on a second line, for people, who was refused."""
    lines = [f"{message_id} {subject}", *([f"refused: {', '.join(refused)}"] if refused else [])]
    return Handle(key=cut("\n".join(lines), HANDLE_LIMIT))


def _id(action_key: str, domain: str) -> str:
    digest = sha256(action_key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"<afterrun.{digest[:40]}@{domain}>"
