"""Superseding: a recovery that overtakes its opening, so that neither has to go out. Pure.

| action | what is recorded | then |
|---|---|---|
| open | the close of its episode | superseded |
| update, remind | its open was superseded | superseded |
| close | its open was superseded, and may have arrived in an earlier attempt | goes out |
| close | its open was superseded; the destination tells people | told once: failed and recovered |
| close | its open was superseded | superseded |
| any | anything else | goes out |
"""

from dataclasses import replace

from subscriber.actions import Action, Verb, key_with
from subscriber.destination import Does
from subscriber.ledger.contract import Work
from subscriber.tried import Outcome


def counterpart(action: Action) -> str | None:
    """The key of the action on which depends whether `action` is superseded, if there is one."""
    match action.verb:
        case Verb.OPEN:
            return key_with(action.key, Verb.CLOSE)
        case Verb.UPDATE | Verb.REMIND | Verb.CLOSE:
            return key_with(action.key, Verb.OPEN)
        case _:
            return None


def as_it_goes_out(action: Action, other: Work | None, does: Does | None) -> Action | None:
    """`action` as it is to be delivered now; None if it is superseded.

    `other` is the work of its counterpart, if recorded; `does` what its destination is for, None
    if that is no longer configured. Raises WrittenByNewer where `other` cannot be read.
    """
    if other is None:
        return action
    if action.verb is Verb.OPEN:
        return None
    if other.result.get("outcome") != Outcome.SUPERSEDED:
        return action
    if action.verb is not Verb.CLOSE:
        return None
    if other.result.get("may_have_arrived"):
        return action
    return _told_once(action, Action.from_body(other.body)) if does is Does.TELL else None


def _told_once(closing: Action, opening: Action) -> Action:
    """The close, told with what the open would have said, to people who heard of neither."""
    said = (closing.message.text, opening.message.headline)
    text = "\n".join(part for part in said if part)
    return replace(closing, verb=Verb.TELL, message=replace(closing.message, text=text))
