"""A webhook gets another secret: a second one takes its place, and at no moment is one refused.

The new secret goes to a place of its own, so that the former one stays readable to the receiver,
which refers to both. The former webhook is deleted only after the receiver took an event of the
new one. What is done is seen in dbt Cloud itself: whoever is interrupted does it again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cli.webhooks import creating, proof, receiving, testing
from cli.webhooks.concerns import mark
from cli.webhooks.places import Place
from shared.errors import Failure, Mistake, PermanentFailure, TemporaryFailure
from subscriber.dbt_cloud.webhooks import Subscription, Webhooks
from subscriber.outbound import Refused

PAUSES_S = (3.0, 7.0, 10.0, 15.0)
"""Before another test: a receiver reads its secrets anew at most every 30 s."""


@dataclass(frozen=True)
class Rotation:
    """`tell` is told each step as it begins, `pause` waits."""

    webhooks: Webhooks
    place: Place
    tell: Callable[[str], None]
    pause: Callable[[float], None]

    def rotate(self, former_id: str, *, force: bool = False) -> Subscription:
        """The webhook that is in the place of the former one; raises Mistake or Failure."""
        listed = self.webhooks.listed()
        former, successor = _both(former_id, listed)
        if former is None:
            return self._done_before(former_id, successor)
        if successor is None:
            successor = self._made(former, listed, force=force)
        else:
            self.tell(f"{successor.id} was made before: going on from there")
            successor = self._alike(successor, former)
            if self._has_lost_its_secret(successor):
                self.tell(f"Its secret is not at {self.place.ref}: it is deleted and made anew")
                self.webhooks.delete(successor.id)
                listed = [each for each in listed if each.id != successor.id]
                successor = self._made(former, listed, force=force)
        self._verify(successor)
        self.tell(f"Deleting {former.id}")
        try:
            self.webhooks.delete(former.id)
        except Refused as refused:
            if refused.status != 404:
                raise
        return successor

    def _done_before(self, former_id: str, successor: Subscription | None) -> Subscription:
        if successor is None:
            # says whether it is gone, or not ours to see
            self.webhooks.get(former_id)
            raise PermanentFailure(f"there is no webhook {former_id} in this account")
        self.tell(f"{former_id} is gone: {successor.id} took its place before")
        return successor

    def _made(
        self, former: Subscription, listed: Sequence[Subscription], *, force: bool
    ) -> Subscription:
        check_rotatable(former)
        if self.place.holds() and not _has_sent(former, self.webhooks):
            # its receipt shows which secret it signs with
            testing.tested(self.webhooks, former.id, self.pause)
        proof.check_free(self.place, self.webhooks, listed, force=force)
        self.tell(f"Making a second webhook, its secret goes to {self.place.ref}")
        return creating.created(self.webhooks, wanted(former), self.place, list(listed))

    def _alike(self, successor: Subscription, former: Subscription) -> Subscription:
        """The second webhook as the first one is now."""
        right = replace(
            successor,
            client_url=former.client_url,
            event_types=former.event_types,
            job_ids=former.job_ids,
            active=True,
        )
        return successor if right == successor else self.webhooks.update(right.id, lambda _: right)

    def _has_lost_its_secret(self, successor: Subscription) -> bool:
        """Whether what it sends shows that its secret was not kept."""
        result = testing.tested(self.webhooks, successor.id, self.pause)
        if not self.place.holds():
            return True
        try:
            secret = self.place.value()
        except Failure:
            return False
        return result.receipt is not None and proof.signs(secret, result.receipt) is False

    def _verify(self, successor: Subscription) -> None:
        """Return once the receiver took an event that is signed with the new secret."""
        self.tell("Testing that the receiver takes what it signs")
        result = testing.tested(self.webhooks, successor.id, self.pause)
        for seconds in PAUSES_S:
            if receiving.is_taken(result.status) or not result.is_known:
                break
            said = "no answer" if result.status is None else f"answered {result.status}"
            self.tell(f"Not yet: {said}; again in {seconds:.0f} s")
            self.pause(seconds)
            result = testing.tested(self.webhooks, successor.id, self.pause)
        if receiving.is_taken(result.status) or self._took_an_event(successor):
            return
        raise self._not_verified(successor, result)

    def _took_an_event(self, successor: Subscription) -> bool:
        """Whether a real event of it was taken, where a test shows nothing."""
        try:
            return any(
                receiving.is_taken(event.status) for event in self.webhooks.events(successor.id)
            )
        except Failure:
            return False

    def _not_verified(self, successor: Subscription, result: testing.Result) -> Failure:
        stays = (
            "Nothing was deleted and nothing is lost: both webhooks send, and each event counts "
            "once. Then run the same command again: it goes on from here."
        )
        receipt = result.receipt
        if not result.is_known or (receipt is not None and not receipt.signature):
            return PermanentFailure(
                f"the test shows nothing of {successor.id}: dbt Cloud did not sign it, or does not "
                f"say what came of it. Wait until a run has ended and its event was taken. {stays}"
            )
        said = receiving.meaning(result.status, result.body)
        if result.status == 401:
            return PermanentFailure(
                f"the receiver answered 401 to what {successor.id} signs. "
                f"{configured(self.place)} {stays}"
            )
        is_down = receiving.exit_code(result.status) == receiving.exit_code(None)
        kind = TemporaryFailure if is_down else PermanentFailure
        return kind(f"{said}. Mend that. {stays}")


def configured(place: Place) -> str:
    """What the receiver must have."""
    return (
        f"The receiver's WEBHOOK_SECRETS must list {place.ref} beside what it lists today, "
        f"separated by a comma, and its account must be allowed to read it; deploy it so."
    )


def plan(former_id: str, listed: Sequence[Subscription], place: Place) -> list[str]:
    """What `rotate` would do now, a line each."""
    former, successor = _both(former_id, listed)
    if former is None:
        took = f": {successor.id} took its place" if successor else ""
        return [f"Nothing: {former_id} is not there{took}"]
    if successor is not None:
        make = [f"Go on with {successor.id}, which was made before"]
    else:
        check_rotatable(former)
        second = "same URL, events and jobs; from then on each event comes twice, and counts once"
        make = [
            f"Make a second webhook like {former.id}: {second}",
            f"Put its secret into {place.ref}",
        ]
    return [
        *make,
        f"Have dbt Cloud test it until the receiver takes it. {configured(place)}",
        f"Delete {former.id}",
    ]


def check_rotatable(former: Subscription) -> None:
    """Raise Mistake for one that sends nothing: no receiver can show that it takes it."""
    if not former.active:
        raise Mistake(
            f"{former.id} is deactivated: there is nothing to keep alive. Make a new one with "
            f"`afterrun webhooks create`, then `afterrun webhooks delete {former.id}`"
        )


def wanted(former: Subscription) -> Subscription:
    """The second webhook; its description is how it is known again."""
    base = former.description.partition("[in place of ")[0].strip()
    return replace(former, description=f"{base} {mark(former.id)}".strip())


def _both(
    former_id: str, listed: Sequence[Subscription]
) -> tuple[Subscription | None, Subscription | None]:
    """The former webhook and the one that takes its place, as far as they are there."""
    former = next((each for each in listed if each.id == former_id), None)
    ends = mark(former_id)
    return former, next((each for each in listed if each.description.endswith(ends)), None)


def _has_sent(former: Subscription, webhooks: Webhooks) -> bool:
    """Whether there is something that it sent; who may not see that need not ask for more."""
    try:
        return bool(webhooks.events(former.id))
    except Failure:
        return True
