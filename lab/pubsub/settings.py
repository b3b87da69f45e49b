"""A subscription's settings: what is acted on, within the bounds of the real service.

Source: https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#subscription
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from google.protobuf.duration_pb2 import Duration

from lab.pubsub import filters, limits, names
from lab.pubsub.described import ACK_DEADLINE_S, RETENTION_S, Described
from lab.pubsub.limits import Limits
from lab.pubsub.refusals import invalid, not_built, out_of_range
from lab.pubsub.retries import Retry
from shared.settings import is_loopback

NOT_BUILT = frozenset(
    {
        "bigquery_config",
        "bigtable_config",
        "cloud_storage_config",
        "enable_exactly_once_delivery",
        "enable_message_ordering",
        "message_transforms",
    }
)


@dataclass(frozen=True)
class DeadLetters:
    topic: str
    attempts: int


@dataclass(frozen=True)
class Token:
    """Whose token a push carries, and for which audience ("" is the endpoint itself)."""

    account: str
    audience: str


@dataclass(frozen=True)
class Push:
    endpoint: str
    token: Token | None


@dataclass(frozen=True)
class Settings:
    ack_deadline_s: float = ACK_DEADLINE_S
    retention_s: float = RETENTION_S
    wants: filters.Filter = filters.everything
    retry: Retry | None = None
    dead_letters: DeadLetters | None = None
    push: Push | None = None


def read(described: Described, bounds: Limits) -> Settings:
    """What we act on in `described`, a completed description.

    Raises Refused for what the real service does not accept, and for what the lab does not do.
    """
    unknown = NOT_BUILT & {field.name for field, _ in described.ListFields()}
    if unknown:
        raise not_built(", ".join(sorted(unknown)))
    ack_deadline_s = described.ack_deadline_seconds
    check_ack_deadline(ack_deadline_s, bounds)
    retention_s = _seconds(described.message_retention_duration)
    _check_within(
        "message retention", retention_s, bounds.shortest_retention_s, limits.LONGEST_RETENTION_S
    )
    if described.expiration_policy.HasField("ttl"):
        idle_s = _seconds(described.expiration_policy.ttl)
        if idle_s < limits.SHORTEST_EXPIRATION_S:
            raise invalid(f"A subscription expires after {limits.SHORTEST_EXPIRATION_S} s or more.")
    return Settings(
        ack_deadline_s=ack_deadline_s,
        retention_s=retention_s,
        wants=_filter(described.filter),
        retry=_retry(described),
        dead_letters=_dead_letters(described, bounds),
        push=_push(described.push_config),
    )


def check_ack_deadline(seconds: float, bounds: Limits) -> None:
    _check_within(
        "ack deadline", seconds, bounds.shortest_ack_deadline_s, limits.LONGEST_ACK_DEADLINE_S
    )


def _filter(text: str) -> filters.Filter:
    try:
        return filters.parse(text)
    except filters.MalformedFilter as error:
        raise invalid(f"Invalid filter: {error}.") from None


def _retry(described: Described) -> Retry | None:
    if not described.HasField("retry_policy"):
        return None
    policy = described.retry_policy
    minimum_s, maximum_s = _seconds(policy.minimum_backoff), _seconds(policy.maximum_backoff)
    _check_within("minimum retry delay", minimum_s, 0, limits.LONGEST_RETRY_DELAY_S)
    _check_within("maximum retry delay", maximum_s, minimum_s, limits.LONGEST_RETRY_DELAY_S)
    return Retry(minimum_s, maximum_s)


def _dead_letters(described: Described, bounds: Limits) -> DeadLetters | None:
    if not described.HasField("dead_letter_policy"):
        return None
    policy = described.dead_letter_policy
    attempts = policy.max_delivery_attempts
    fewest, most = bounds.fewest_delivery_attempts, limits.MOST_DELIVERY_ATTEMPTS
    if not fewest <= attempts <= most:
        raise out_of_range(f"max_delivery_attempts is {attempts}, must be {fewest} to {most}.")
    names.check("topics", policy.dead_letter_topic)
    return DeadLetters(policy.dead_letter_topic, attempts)


def _push(config: Described) -> Push | None:
    if config.HasField("no_wrapper"):
        raise not_built("push without wrapper")
    if not config.push_endpoint:
        return None
    _check_endpoint(config.push_endpoint)
    if not config.HasField("oidc_token"):
        return Push(config.push_endpoint, None)
    token = config.oidc_token
    if not token.service_account_email:
        raise invalid("A push token needs a service account's e-mail address.")
    return Push(config.push_endpoint, Token(token.service_account_email, token.audience))


def _check_endpoint(url: str) -> None:
    # the real service wants https; the lab never leaves this machine
    try:
        parts = urlsplit(url)
        local = parts.scheme == "http" and is_loopback(parts.hostname or "") and parts.port != 0
    except ValueError:
        local = False
    if not local:
        raise invalid("Invalid push endpoint: the lab pushes to http:// on loopback only.")


def _seconds(duration: Duration) -> float:
    return float(duration.seconds + duration.nanos / 1e9)


def _check_within(what: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise invalid(
            f"Invalid {what}: {value:.10g}; it must be {low:.10g} to {high:.10g} seconds."
        )
