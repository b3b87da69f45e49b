"""Settings of topics and subscriptions: whether they are as a deployment has them. Pure.

Source: https://cloud.google.com/pubsub/docs/subscription-properties
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from cli import output
from cli.doctor.finding import About, Finding

ACK_AT_LEAST_S, ACK_S = 60, 300
KEPT_AT_LEAST, KEPT = timedelta(days=1), timedelta(days=7)
TICKS_KEPT = timedelta(hours=1)
"""Beyond this an outage leaves so many ticks behind that events wait for them."""
BACKOFF_AT_LEAST = timedelta(seconds=60)
"""How far the pauses between tries of one message grow: below, dead letters come too early."""
ATTEMPTS_AT_LEAST, ATTEMPTS = 20, 100
DELETED_TOPIC = "_deleted-topic_"


@dataclass(frozen=True)
class Subscription:
    """A subscription as Pub/Sub has it. What is not set is empty, or None."""

    name: str
    topic: str
    endpoint: str = ""
    account: str = ""
    audience: str = ""
    ack_s: int = 10
    kept: timedelta = KEPT
    expires: timedelta | None = None
    """How long it may be idle before Pub/Sub deletes it; None: for ever."""
    backoff: tuple[timedelta, timedelta] | None = None
    dead_letters: str = ""
    attempts: int = 0
    is_detached: bool = False

    @property
    def update(self) -> str:
        return f"gcloud pubsub subscriptions update {self.name}"


def of_events(about: About, it: Subscription, topic: str, dead_letters: str) -> Iterator[Finding]:
    """Whether events are delivered by `it`, tried again for long enough, and kept at last."""
    wrong = [*_of_any(about, it, topic), *_pushed(about, it)]
    if it.backoff is None:
        mend = f"{it.update} --min-retry-delay=10s --max-retry-delay=600s"
        wrong.append(about.fails("it tries again at once, a hundred times in a row", mend))
    elif it.backoff[1] < BACKOFF_AT_LEAST:
        said = f"its pauses between tries grow to {output.length(it.backoff[1])} only"
        wrong.append(about.warns(said, f"{it.update} --max-retry-delay=600s"))
    letters = f"{it.update} --dead-letter-topic={dead_letters} --max-delivery-attempts={ATTEMPTS}"
    if not it.dead_letters:
        said = "it has no dead-letter topic: what nobody can take comes again until it is dropped"
        wrong.append(about.fails(said, letters))
    elif it.dead_letters != dead_letters:
        said = f"its dead letters go to {it.dead_letters}, not to {dead_letters}"
        wrong.append(about.fails(said, letters))
    elif it.attempts < ATTEMPTS_AT_LEAST:
        said = f"it gives up after {it.attempts} tries: some minutes of an outage"
        wrong.append(about.warns(said, letters))
    if it.kept < KEPT_AT_LEAST:
        said = f"it keeps events for {output.length(it.kept)} only"
        wrong.append(about.warns(said, f"{it.update} --message-retention-duration=7d"))
    yield from wrong or [about.ok(_summary(it))]


def of_ticks(about: About, it: Subscription, topic: str) -> Iterator[Finding]:
    """Whether ticks are delivered by `it`, and not kept for long."""
    wrong = [*_of_any(about, it, topic), *_pushed(about, it)]
    if it.kept > TICKS_KEPT:
        said = f"it keeps ticks for {output.length(it.kept)}: after an outage they all come"
        wrong.append(about.warns(said, f"{it.update} --message-retention-duration=10m"))
    if it.dead_letters:
        said = "ticks become dead letters by it, of which nobody can make use"
        wrong.append(about.warns(said, f"{it.update} --clear-dead-letter-policy"))
    yield from wrong or [about.ok(_summary(it))]


def of_dead_letters(about: About, it: Subscription, topic: str) -> Iterator[Finding]:
    """Whether `it` keeps what is left until somebody has looked at it."""
    wrong = list(_of_any(about, it, topic))
    if it.endpoint:
        mend = f"{it.update} --push-endpoint="
        wrong.append(about.fails("it pushes what it gets, so that nothing is kept", mend))
    if it.dead_letters:
        said = "it gives letters away after a number of looks at them"
        wrong.append(about.fails(said, f"{it.update} --clear-dead-letter-policy"))
    if it.kept < KEPT:
        said = f"it keeps letters for {output.length(it.kept)} only"
        wrong.append(about.warns(said, f"{it.update} --message-retention-duration=31d"))
    yield from wrong or [about.ok(f"keeps letters for {output.length(it.kept)}, and never expires")]


def _of_any(about: About, it: Subscription, topic: str) -> Iterator[Finding]:
    if it.topic == DELETED_TOPIC:
        mend = f"gcloud pubsub subscriptions delete {it.name}, and make it again"
        yield about.fails("its topic was deleted: nothing comes by it any more", mend)
    elif it.topic != topic:
        mend = f"gcloud pubsub subscriptions delete {it.name}, and make it with --topic={topic}"
        yield about.fails(f"it is one of {it.topic}, not of {topic}", mend)
    if it.is_detached:
        mend = f"gcloud pubsub subscriptions delete {it.name}, and make it again"
        yield about.fails("it is detached from its topic: nothing comes by it", mend)
    if it.expires is not None:
        said = f"Pub/Sub deletes it when it was idle for {output.length(it.expires)}"
        yield about.fails(said, f"{it.update} --expiration-period=never")


def _pushed(about: About, it: Subscription) -> Iterator[Finding]:
    if not it.endpoint:
        return  # it is pulled, which `afterrun work` does
    if it.ack_s < ACK_AT_LEAST_S:
        said = f"it waits {it.ack_s} s for an answer, which may take longer"
        yield about.fails(said, f"{it.update} --ack-deadline={ACK_S}")
    if not it.account:
        account = "--push-auth-service-account=afterrun-push@PROJECT.iam.gserviceaccount.com"
        yield about.fails("its pushes carry no token", f"{it.update} {account}")
    elif not it.audience:
        mend = f"{it.update} --push-auth-token-audience=URL, as PUSH_AUDIENCE of the subscriber"
        yield about.warns("its tokens are for the endpoint's whole URL", mend)


def _summary(it: Subscription) -> str:
    if not it.endpoint:
        return "it is pulled: by `afterrun work`"
    as_whom = f" as {it.account.partition('@')[0]}" if it.account else ""
    return f"pushes to {it.endpoint}{as_whom}"
