"""When what was refused is sent again: a message's retry policy, a subscription's push backoff.

Source: https://cloud.google.com/pubsub/docs/handling-failures#subscription_retry_policy
Source: https://cloud.google.com/pubsub/docs/push#push_backoff
"""

from dataclasses import dataclass, field

AT_ONCE_S = 0.01
"""What "at once" takes when there is no policy, so that a refusal is never a busy loop."""

SHORTEST_PAUSE_S = 0.1


@dataclass(frozen=True)
class Retry:
    """Doubling from `minimum_s` up to `maximum_s`, without jitter: a test can say when."""

    minimum_s: float
    maximum_s: float

    def delay_s(self, refusals: int) -> float:
        """How long after its refusal number `refusals` a message is due again."""
        # 2 ** 30 times a microsecond is already beyond the longest delay that can be configured
        doubled = self.minimum_s * 2.0 ** min(refusals - 1, 30)
        return max(AT_ONCE_S, min(self.maximum_s, doubled))


def delay_s(retry: Retry | None, refusals: int) -> float:
    return AT_ONCE_S if retry is None else retry.delay_s(refusals)


@dataclass
class PushBackoff:
    """Pauses all pushes of one subscription: after each refusal twice as long as the time before.

    Each acknowledgement halves what the next refusal costs. Refusals of pushes that had
    begun before the pause did are one and the same piece of news.
    """

    longest_s: float
    pause_s: float = field(default=0.0, init=False)
    paused_until: float = field(default=0.0, init=False)
    _began_at: float = field(default=float("-inf"), init=False)

    def refused(self, begun_at: float, now: float) -> None:
        """A push that was begun at `begun_at` has been refused."""
        if begun_at < self._began_at:
            return
        self.pause_s = min(self.longest_s, max(SHORTEST_PAUSE_S, 2 * self.pause_s))
        self.paused_until = now + self.pause_s
        self._began_at = now

    def acknowledged(self) -> None:
        """A push has been acknowledged: the next refusal pauses for less."""
        halved = self.pause_s / 2
        self.pause_s = halved if halved >= SHORTEST_PAUSE_S else 0.0
