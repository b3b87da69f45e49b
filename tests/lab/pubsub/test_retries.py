"""How long refusals delay a message, and how they pause a subscription."""

import pytest

from lab.pubsub.retries import AT_ONCE_S, PushBackoff, Retry, delay_s


def test_delays_double_from_the_minimum_to_the_maximum() -> None:
    retry = Retry(10, 600)

    delays = [retry.delay_s(refusals) for refusals in (1, 2, 3, 6, 7, 100, 100_000)]

    assert delays == [10, 20, 40, 320, 600, 600, 600]


@pytest.mark.parametrize("retry", [None, Retry(0, 0), Retry(0, 600)])
def test_at_once_still_takes_a_moment(retry: Retry | None) -> None:
    assert delay_s(retry, 1) == AT_ONCE_S > 0


def test_each_refusal_doubles_the_pause_up_to_the_longest() -> None:
    backoff = PushBackoff(longest_s=60)
    pauses = []

    for now in range(0, 1_200, 100):
        backoff.refused(begun_at=now, now=now)
        pauses.append(backoff.paused_until - now)

    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60, 60])


def test_pushes_refused_together_pause_once() -> None:
    backoff = PushBackoff(longest_s=60)

    for now in (1.0, 1.01, 1.02):
        backoff.refused(begun_at=0.5, now=now)

    assert backoff.paused_until == pytest.approx(1.1)


def test_acknowledgements_take_the_pause_back() -> None:
    backoff = PushBackoff(longest_s=60)
    for now in (1, 2, 3):
        backoff.refused(begun_at=now, now=now)

    backoff.acknowledged()
    backoff.refused(begun_at=4, now=4)
    once = backoff.paused_until - 4
    for _ in range(3):
        backoff.acknowledged()
    backoff.refused(begun_at=5, now=5)

    assert once == pytest.approx(0.4)
    assert backoff.paused_until - 5 == pytest.approx(0.1)
