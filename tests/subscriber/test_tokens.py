"""Tokens: fetched once while they last, and anew when the vendor does not accept them."""

import threading
from collections.abc import Callable

import pytest

from shared.errors import TemporaryFailure
from subscriber.outbound import Refused
from subscriber.tokens import EARLY_S, Rejected, Token, Tokens, named

HOUR_S = 3_600.0


class Time:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Vendor:
    """Gives tokens, and accepts those that it is told to."""

    def __init__(self, *, lasts_s: float = HOUR_S) -> None:
        self.given = 0
        self.lasts_s = lasts_s
        self.rejects: set[str] = set()

    def fetch(self) -> Token:
        self.given += 1
        return Token(f"token {self.given}", self.lasts_s)

    def call(self, token: str) -> str:
        if token in self.rejects:
            raise Rejected from Refused("vendor.example answered 401", 401)
        return token


def test_a_token_is_fetched_once_and_used_while_it_lasts() -> None:
    tokens, vendor = Tokens(Time()), Vendor()

    used = [tokens.use("a", vendor.fetch, vendor.call) for _ in range(3)]

    assert used == ["token 1"] * 3


def test_it_is_fetched_anew_some_minutes_before_its_end() -> None:
    now, vendor = Time(), Vendor()
    tokens = Tokens(now)
    tokens.use("a", vendor.fetch, vendor.call)

    now.now += HOUR_S - EARLY_S - 1
    assert tokens.use("a", vendor.fetch, vendor.call) == "token 1"
    now.now += 1
    assert tokens.use("a", vendor.fetch, vendor.call) == "token 2"


def test_one_that_is_short_lived_is_used_for_half_of_its_life() -> None:
    now, vendor = Time(), Vendor(lasts_s=60)
    tokens = Tokens(now)
    tokens.use("a", vendor.fetch, vendor.call)

    now.now += 29
    assert tokens.use("a", vendor.fetch, vendor.call) == "token 1"
    now.now += 1
    assert tokens.use("a", vendor.fetch, vendor.call) == "token 2"


def test_one_that_is_no_longer_accepted_is_fetched_anew_once() -> None:
    tokens, vendor = Tokens(Time()), Vendor()
    tokens.use("a", vendor.fetch, vendor.call)
    vendor.rejects = {"token 1"}

    assert tokens.use("a", vendor.fetch, vendor.call) == "token 2"


def test_one_that_was_fetched_just_now_and_is_not_accepted_is_a_refusal() -> None:
    tokens, vendor = Tokens(Time()), Vendor()
    vendor.rejects = {"token 1", "token 2", "token 3"}

    with pytest.raises(Refused, match="answered 401"):
        tokens.use("a", vendor.fetch, vendor.call)

    assert vendor.given == 1


def test_a_second_token_that_is_not_accepted_is_a_refusal_and_is_not_kept() -> None:
    tokens, vendor = Tokens(Time()), Vendor()
    tokens.use("a", vendor.fetch, vendor.call)
    vendor.rejects = {"token 1", "token 2"}

    with pytest.raises(Refused, match="answered 401"):
        tokens.use("a", vendor.fetch, vendor.call)

    assert tokens.use("a", vendor.fetch, vendor.call) == "token 3"


def test_a_late_rejection_does_not_throw_away_what_was_fetched_since() -> None:
    tokens, vendor = Tokens(Time()), Vendor()
    tokens.use("a", vendor.fetch, vendor.call)
    vendor.rejects = {"token 1"}

    def late(token: str) -> str:
        if token == "token 1":
            # meanwhile somebody else was rejected, and has fetched another
            assert tokens.use("a", vendor.fetch, vendor.call) == "token 2"
        return vendor.call(token)

    assert tokens.use("a", vendor.fetch, late) == "token 2"
    assert vendor.given == 2


def test_who_waits_too_long_for_another_is_told_to_come_back() -> None:
    tokens = Tokens(patience_s=0.01)
    inside, leave = threading.Event(), threading.Event()

    def stays() -> None:
        with tokens.alone("a"):
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=stays)
    thread.start()
    inside.wait(30)
    with pytest.raises(TemporaryFailure, match="takes longer than"), tokens.alone("a"):
        pass
    leave.set()
    thread.join(30)


def test_each_credential_has_a_token_of_its_own() -> None:
    tokens, vendor = Tokens(Time()), Vendor()

    assert [tokens.use(key, vendor.fetch, vendor.call) for key in ("a", "b", "a")] == [
        *("token 1", "token 2", "token 1")
    ]


def test_a_fetch_that_fails_keeps_nothing() -> None:
    tokens, vendor = Tokens(Time()), Vendor()

    def fails() -> Token:
        raise Refused("vendor.example answered 401", 401)

    with pytest.raises(Refused):
        tokens.use("a", fails, vendor.call)

    assert tokens.use("a", vendor.fetch, vendor.call) == "token 1"


def in_threads(work: Callable[[], object], count: int = 8) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def test_threads_that_need_it_at_once_fetch_it_once() -> None:
    tokens, vendor = Tokens(Time()), Vendor()

    in_threads(lambda: tokens.use("a", vendor.fetch, vendor.call))

    assert vendor.given == 1


def test_what_is_to_be_alone_is_alone() -> None:
    tokens = Tokens()
    inside, most = 0, 0

    def enter() -> None:
        nonlocal inside, most
        with tokens.alone("a"):
            inside += 1
            most = max(most, inside)
            inside -= 1

    in_threads(enter)

    assert most == 1


def test_a_key_does_not_show_what_it_is_made_of() -> None:
    assert "s3cr3t" not in named("https://x.example", "client", "s3cr3t")
    assert named("a", "bc") != named("ab", "c")


def test_a_token_is_not_shown_when_it_is_printed() -> None:
    assert "s3cr3t" not in repr(Token("s3cr3t", 60))
