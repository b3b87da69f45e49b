"""Secrets are read when needed, and anew when a signature matches none; never too often."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from function.webhook_secrets import WebhookSecrets
from shared.errors import TemporaryFailure
from shared.secret_refs import SecretRef
from tests.function.fakes import Seconds, Values, refs, secrets

ONE, TWO = "secret:one", "secret:two"
LIMIT_S = 5.0


def values_of(got: object) -> list[bytes]:
    assert isinstance(got, list)
    return [secret.value for secret in got]


def test_they_are_read_once_and_kept():
    values = Values({ONE: "1", TWO: "2"})
    webhook_secrets = secrets(ONE, TWO, values=values)

    async def twice() -> list[list[bytes]]:
        return [values_of(await webhook_secrets.active(LIMIT_S)) for _ in range(2)]

    assert asyncio.run(twice()) == [[b"1", b"2"], [b"1", b"2"]]
    assert sorted(values.readings) == [ONE, TWO]


def test_those_that_can_be_read_are_used_and_the_others_named_in_the_log(
    caplog: pytest.LogCaptureFixture,
):
    webhook_secrets = secrets(ONE, TWO, values=Values({TWO: "hush"}))

    active = asyncio.run(webhook_secrets.active(LIMIT_S))

    assert [secret.name for secret in active] == [TWO]
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert ONE in str(record.__dict__["fields"])
    assert "hush" not in str(record.__dict__["fields"])


def test_with_none_configured_the_log_says_what_to_set(caplog: pytest.LogCaptureFixture):
    with pytest.raises(TemporaryFailure, match="WEBHOOK_SECRETS"):
        asyncio.run(secrets().active(LIMIT_S))

    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert "WEBHOOK_SECRETS" in str(record.__dict__["fields"])


def test_while_none_can_be_read_there_is_a_new_try_every_two_seconds():
    clock, values = Seconds(), Values({})
    webhook_secrets = secrets(ONE, values=values, clock=clock)

    async def ask_at(*times: float) -> None:
        for at in times:
            clock.now = at
            with pytest.raises(TemporaryFailure):
                await webhook_secrets.active(LIMIT_S)

    asyncio.run(ask_at(0.0, 1.0, 1.9, 2.0, 3.9))

    assert len(values.readings) == 2


def test_one_that_appears_later_is_found_by_a_later_try():
    clock, values = Seconds(), Values({})
    webhook_secrets = secrets(ONE, values=values, clock=clock)
    with pytest.raises(TemporaryFailure):
        asyncio.run(webhook_secrets.active(LIMIT_S))

    values.values[ONE] = "1"
    clock.now += 2

    assert values_of(asyncio.run(webhook_secrets.active(LIMIT_S))) == [b"1"]


def test_reading_anew_finds_a_rotated_secret_at_once():
    values = Values({ONE: "old"})
    webhook_secrets = secrets(ONE, values=values)
    asyncio.run(webhook_secrets.active(LIMIT_S))

    values.values[ONE] = "new"

    assert values_of(asyncio.run(webhook_secrets.read_anew(LIMIT_S))) == [b"new"]


def test_reading_anew_happens_at_most_once_in_thirty_seconds():
    clock, values = Seconds(), Values({ONE: "old"})
    webhook_secrets = secrets(ONE, values=values, clock=clock)
    asyncio.run(webhook_secrets.read_anew(LIMIT_S))
    values.values[ONE] = "new"

    clock.now += 29.9
    early = values_of(asyncio.run(webhook_secrets.read_anew(LIMIT_S)))
    clock.now += 0.1
    late = values_of(asyncio.run(webhook_secrets.read_anew(LIMIT_S)))

    assert (early, late) == ([b"old"], [b"new"])
    assert len(values.readings) == 2


def test_many_who_ask_at_the_same_time_share_one_reading():
    values = Values({ONE: "1"})
    webhook_secrets = secrets(ONE, values=values)

    async def many(ask: Callable[[float], Awaitable[object]]) -> list[object]:
        return list(await asyncio.gather(*(ask(LIMIT_S) for _ in range(50))))

    for got in asyncio.run(many(webhook_secrets.active)):
        assert values_of(got) == [b"1"]
    assert len(values.readings) == 1
    for got in asyncio.run(many(webhook_secrets.read_anew)):
        assert values_of(got) == [b"1"]
    assert len(values.readings) == 2


def test_a_reading_that_fails_keeps_what_was_read_before():
    values = Values({ONE: "1", TWO: "2"})
    webhook_secrets = secrets(ONE, TWO, values=values)
    asyncio.run(webhook_secrets.active(LIMIT_S))

    values.values = {TWO: "two"}

    assert values_of(asyncio.run(webhook_secrets.read_anew(LIMIT_S))) == [b"1", b"two"]


def test_a_slow_reading_holds_nobody_up_beyond_the_limit_and_counts_when_it_ends():
    release = threading.Event()

    def slow(ref: SecretRef) -> str:
        assert release.wait(10)
        return "1"

    webhook_secrets = WebhookSecrets(refs(ONE), slow, Seconds())

    async def impatient() -> list[bytes]:
        with pytest.raises(TemporaryFailure):
            await webhook_secrets.active(0.01)
        release.set()
        return values_of(await webhook_secrets.active(LIMIT_S))

    assert asyncio.run(impatient()) == [b"1"]


def test_reading_does_not_hold_up_the_event_loop():
    reading, release = threading.Event(), threading.Event()

    def blocking(ref: SecretRef) -> str:
        reading.set()
        assert release.wait(10)
        return "1"

    webhook_secrets = WebhookSecrets(refs(ONE), blocking, Seconds())

    async def meanwhile() -> list[bytes]:
        asking = asyncio.create_task(webhook_secrets.active(LIMIT_S))
        # the loop is free to do this only while another thread reads
        assert await asyncio.to_thread(reading.wait, 10)
        release.set()
        return values_of(await asking)

    assert asyncio.run(meanwhile()) == [b"1"]


def test_no_value_is_ever_shown():
    webhook_secrets = secrets(ONE, values=Values({ONE: "hush"}))
    asyncio.run(webhook_secrets.active(LIMIT_S))

    assert "hush" not in repr(webhook_secrets)
