"""Topics, the subscriptions to them, and the clock that ticks."""

import base64
from collections.abc import Iterator
from typing import Any

from deploy.binding import binding
from deploy.names import (
    DEAD_LETTERS,
    EVENTS,
    PUSH,
    RECEIVER,
    SUBSCRIBER,
    TICK_JOB,
    TICKS,
    Deployment,
)
from deploy.step import OURS, Look, Step, gcloud

ACK_DEADLINE_S = 300
KEEP_EVENTS_S = 7 * 86_400
KEEP_TICKS_S = 600  # a tick that is late is worth nothing
KEEP_DEAD_LETTERS_S = 31 * 86_400
BACKOFF_S = (10, 600)
DELIVERIES = 100  # with that backoff about 16 hours
SCHEDULE = "* * * * *"
TICK = "tick"


def topics(it: Deployment) -> Iterator[Step]:
    part = "topics"
    for name in (EVENTS, TICKS, DEAD_LETTERS):
        yield Step(
            f"topic {name}",
            part,
            (gcloud(it.project, "pubsub", "topics", "create", name, "--labels=app=afterrun"),),
            Look(gcloud(it.project, "pubsub", "topics", "describe", name, "--format=json")),
            undo=(gcloud(it.project, "pubsub", "topics", "delete", name),),
            made_here=OURS,
            is_data=name == DEAD_LETTERS,
        )
    publisher = "roles/pubsub.publisher"
    yield binding(it, part, ("pubsub", "topics", EVENTS), it.member(RECEIVER), publisher)
    for member in (it.member(SUBSCRIBER), it.pubsub_agent):
        thing = ("pubsub", "topics", DEAD_LETTERS)
        yield binding(it, part, thing, member, publisher, is_undone=True)
    # without a subscription, the topic would drop what arrives
    keeping = (
        *("--ack-deadline=60", "--expiration-period=never"),
        f"--message-retention-duration={KEEP_DEAD_LETTERS_S}s",
    )
    wanted = {
        "ackDeadlineSeconds": 60,
        "expirationPolicy": {"ttl": None},
        "messageRetentionDuration": f"{KEEP_DEAD_LETTERS_S}s",
    }
    yield _subscription(it, part, DEAD_LETTERS, DEAD_LETTERS, keeping, wanted, is_data=True)


def subscriptions(it: Deployment) -> Iterator[Step]:
    part, url = "subscriptions", it.url(SUBSCRIBER)
    push = (
        f"--push-endpoint={url}/",
        f"--push-auth-service-account={it.account(PUSH)}",
        f"--push-auth-token-audience={url}",
        f"--ack-deadline={ACK_DEADLINE_S}",
        "--expiration-period=never",
    )
    token = {"serviceAccountEmail": it.account(PUSH), "audience": url}
    wanted: dict[str, Any] = {
        "ackDeadlineSeconds": ACK_DEADLINE_S,
        "expirationPolicy": {"ttl": None},
        "pushConfig": {"pushEndpoint": f"{url}/", "oidcToken": token},
    }
    again = (
        f"--message-retention-duration={KEEP_EVENTS_S}s",
        f"--min-retry-delay={BACKOFF_S[0]}s",
        f"--max-retry-delay={BACKOFF_S[1]}s",
        f"--dead-letter-topic={DEAD_LETTERS}",
        f"--max-delivery-attempts={DELIVERIES}",
    )
    wanted_again = {
        "messageRetentionDuration": f"{KEEP_EVENTS_S}s",
        "retryPolicy": {
            "minimumBackoff": f"{BACKOFF_S[0]}s",
            "maximumBackoff": f"{BACKOFF_S[1]}s",
        },
        "deadLetterPolicy": {
            "deadLetterTopic": f"projects/{it.project}/topics/{DEAD_LETTERS}",
            "maxDeliveryAttempts": DELIVERIES,
        },
    }
    yield _subscription(it, part, EVENTS, EVENTS, (*push, *again), {**wanted, **wanted_again})
    # Pub/Sub takes from it what goes to the dead letters
    thing = ("pubsub", "subscriptions", EVENTS)
    yield binding(it, part, thing, it.pubsub_agent, "roles/pubsub.subscriber")
    short = (f"--message-retention-duration={KEEP_TICKS_S}s",)
    wanted_short = {"messageRetentionDuration": f"{KEEP_TICKS_S}s"}
    yield _subscription(it, part, TICKS, TICKS, (*push, *short), {**wanted, **wanted_short})


def _subscription(
    it: Deployment,
    part: str,
    name: str,
    topic: str,
    flags: tuple[str, ...],
    wanted: dict[str, Any],
    *,
    is_data: bool = False,
) -> Step:
    group = ("pubsub", "subscriptions")
    created = (f"--topic={topic}", *flags, "--labels=app=afterrun")
    return Step(
        f"subscription {name}",
        part,
        (gcloud(it.project, *group, "create", name, *created),),
        Look(gcloud(it.project, *group, "describe", name, "--format=json")),
        wanted=wanted,
        change=(gcloud(it.project, *group, "update", name, *flags),),
        undo=(gcloud(it.project, *group, "delete", name),),
        made_here=OURS,
        is_data=is_data,
    )


def tick(it: Deployment) -> Iterator[Step]:
    jobs, where = ("scheduler", "jobs"), (f"--location={it.region}",)
    told = (
        *where,
        f"--schedule={SCHEDULE}",
        "--time-zone=Etc/UTC",
        # in full: gcloud does not look at --project to complete this one
        f"--topic=projects/{it.project}/topics/{TICKS}",
        f"--message-body={TICK}",
    )
    yield Step(
        f"tick {TICK_JOB}, once a minute",
        "tick",
        (
            gcloud(
                it.project, *jobs, "create", "pubsub", TICK_JOB, *told, "--attributes=content=tick"
            ),
        ),
        Look(gcloud(it.project, *jobs, "describe", TICK_JOB, *where, "--format=json")),
        wanted={
            "schedule": SCHEDULE,
            "timeZone": "Etc/UTC",
            "pubsubTarget": {
                "topicName": f"projects/{it.project}/topics/{TICKS}",
                "data": base64.b64encode(TICK.encode()).decode(),
                "attributes": {"content": "tick"},
            },
        },
        change=(
            gcloud(
                *(it.project, *jobs, "update", "pubsub", TICK_JOB, *told),
                "--update-attributes=content=tick",
            ),
        ),
        undo=(gcloud(it.project, *jobs, "delete", TICK_JOB, *where),),
    )
