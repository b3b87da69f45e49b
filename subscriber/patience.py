"""Patience: how soon an action is tried again, and when it is given up. Pure."""

from datetime import timedelta

GIVE_UP_AFTER = timedelta(hours=24)
GIVE_UP_ATTEMPTS = 20  # at the least: time in which nothing was tried does not count against it
ENDLESS = timedelta(hours=25)  # attempts that neither succeed nor fail are a mistake of ours
BACKOFF_FIRST_S = 5.0
BACKOFF_LIMIT_S = 600.0


def is_over(age: timedelta, attempts: int) -> bool:
    """Whether an action that failed once more after `attempts` in all is to be given up."""
    return age >= GIVE_UP_AFTER and attempts >= GIVE_UP_ATTEMPTS


def is_endless(age: timedelta, attempts: int) -> bool:
    """Whether so many attempts have come to no end that one more is useless."""
    return age >= ENDLESS and attempts > GIVE_UP_ATTEMPTS


def backoff_s(attempts: int, jitter: float) -> float:
    """Seconds until the next attempt after `attempts` failed ones; `jitter` is from 0 to 1."""
    longest = min(BACKOFF_FIRST_S * 2.0 ** min(attempts - 1, 20), BACKOFF_LIMIT_S)
    return longest * (0.5 + jitter / 2)
