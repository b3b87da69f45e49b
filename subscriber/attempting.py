"""One attempt: the destination as it is, or as it opened the episode, is told the action."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.errors import PermanentFailure
from subscriber import credentials
from subscriber.actions import Action, Handle, Verb
from subscriber.credentials import Read, Ready
from subscriber.destination import Destination
from subscriber.opened import Opening
from subscriber.outbound import Outbound, Refused, UnknownOutcome
from subscriber.owners import Owner, find

ATTEMPT_S = 25.0  # no request of an attempt begins later: with the longest it ends within the lease
CREDENTIAL = frozenset({400, 401, 403})  # PagerDuty says 400 to a routing key it does not know


@dataclass(frozen=True)
class Sent:
    """The action went out through `ready`. `unknown` says why nobody knows whether it arrived."""

    ready: Ready
    handle: Handle
    unknown: UnknownOutcome | None = None

    def opening(self) -> Opening:
        """What to keep of the episode that this has opened."""
        return self.ready.opening(self.handle)


@dataclass(frozen=True)
class Attempting:
    """`secret` reads what a reference names, or has kept it; `secret_anew` reads it in any case."""

    destinations: Mapping[str, Destination]
    owners: Mapping[str, Owner]
    kinds: Callable[[str], type[Destination]]
    outbound: Outbound
    secret: Read
    secret_anew: Read

    def make(self, action: Action, opening: Opening | None) -> Sent:
        """Deliver `action` once; `opening` is what opened its episode, where that is kept.

        A refused credential is read anew, once, and used if it has changed. Raises
        TemporaryFailure or PermanentFailure where the action certainly did not arrive.
        """
        ready = self._ready(action, opening, self.secret)
        try:
            return self._sent(ready, action, opening)
        except Refused as refused:
            if refused.status not in CREDENTIAL:
                raise
            anew = self._ready(action, opening, self.secret_anew)
            if anew.destination == ready.destination:
                raise
            return self._sent(anew, action, opening)

    def _sent(self, ready: Ready, action: Action, opening: Opening | None) -> Sent:
        # of an opening that went unanswered nothing is known
        opened = opening.handle if opening and opening.handle != Handle() else None
        destination = ready.destination.mentioning(self._called(action))
        outbound = self.outbound.until(ATTEMPT_S)
        try:
            with ready.destination.keeping_secrets():
                handle = destination.deliver(replace(action, opened=opened), outbound)
            return Sent(ready, ready.kept(handle))
        except UnknownOutcome as unknown:
            return Sent(ready, Handle(), unknown)

    def _called(self, action: Action) -> Sequence[Owner]:
        """The owners whose any of it is, as far as the map still has them."""
        found = (find(self.owners, name) for name in action.owners)
        return [owner for owner in found if owner is not None]

    def _ready(self, action: Action, opening: Opening | None, read: Read) -> Ready:
        configured = self.destinations.get(action.destination)
        if opening is None:
            return credentials.of_today(self._configured(action, configured), read)
        try:
            return credentials.of_opening(opening, configured, self.kinds, read)
        except PermanentFailure as failure:
            alert = opening.handle.key or action.episode_key
            raise PermanentFailure(f"{failure}; close the alert {alert} by hand") from None

    def _configured(self, action: Action, configured: Destination | None) -> Destination:
        if configured is None:
            raise PermanentFailure(
                f"the destination {action.destination} is no longer configured; "
                f"what it holds under {action.episode_key} is to be dealt with by hand"
            )
        if (action.verb is Verb.REFRESH) is not configured.does.starts:
            raise PermanentFailure(
                f"the destination {action.destination} was of another kind when this was decided; "
                f"what it holds under {action.episode_key} is to be dealt with by hand"
            )
        owner = find(self.owners, action.owner)
        return configured.for_owner(owner) if owner else configured
