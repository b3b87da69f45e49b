"""What opened an episode is kept without a secret, read again, and let go of after the close."""

import json
from typing import Any

import pytest
from pydantic import SecretStr

from shared import secret_refs
from shared.secret_refs import Secret, SecretRef
from subscriber.actions import Handle, Verb, WrittenByNewer
from subscriber.destinations.pagerduty import PagerDuty
from subscriber.ledger.contract import KEY_LIMIT
from subscriber.ledger.memory import MemoryLedger
from subscriber.opened import Opening, Openings, key
from tests.builders import NOW, an_action

KEY = "0123456789abcdef0123456789abcdef"
PINNED = SecretRef("secret", "pd", "3", "123456789")
WRITTEN = PagerDuty(
    routing_key=SecretStr("secret:pd"), former_routing_keys=(SecretStr("env:FORMER"),)
)


def an_opening(handle: Handle = Handle("key", "url")) -> Opening:  # noqa: B008 - frozen
    return Opening.by(WRITTEN, {"routing_key": Secret(KEY, PINNED)}, handle)


def test_an_opening_is_read_as_it_was_kept() -> None:
    body = json.loads(json.dumps(an_opening().body()))

    assert Opening.from_body(body) == an_opening()


def test_references_are_kept_and_no_secret() -> None:
    body = an_opening().body()

    assert body["version"] == 1
    assert body["kind"] == "pagerduty"
    assert body["fields"]["routing_key"] == "secret:pd"
    assert body["fields"]["former_routing_keys"] == ["env:FORMER"]
    assert body["secrets"] == {
        "routing_key": {
            "reference": "secret:projects/123456789/secrets/pd/versions/3",
            "fingerprint": secret_refs.fingerprint(KEY),
        }
    }
    assert body["handle"] == {"key": "key", "url": "url", "replaces": False}
    assert KEY not in json.dumps(body)


def test_a_destination_can_be_made_from_what_is_kept_of_it() -> None:
    assert PagerDuty.model_validate(an_opening().fields) == WRITTEN


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_an_unknown_version_is_refused_and_not_misread(version: Any) -> None:
    with pytest.raises(WrittenByNewer, match="written by a newer version"):
        Opening.from_body(an_opening().body() | {"version": version})


def test_the_last_opening_of_an_episode_counts_for_all_its_actions() -> None:
    openings = Openings(MemoryLedger())
    openings.keep(an_action(Verb.OPEN), an_opening(Handle("first")), NOW)
    openings.keep(an_action(Verb.OPEN), an_opening(Handle("second")), NOW)

    assert openings.of(an_action(Verb.CLOSE)) == an_opening(Handle("second"))


def test_another_destination_and_another_episode_have_openings_of_their_own() -> None:
    openings = Openings(MemoryLedger())
    openings.keep(an_action(), an_opening(), NOW)

    assert openings.of(an_action(destination="data")) is None
    assert openings.of(an_action(episode_key="afterrun/1/job/7/200")) is None


def test_a_close_can_be_replayed_with_what_was_kept() -> None:
    openings = Openings(MemoryLedger())
    openings.keep(an_action(), an_opening(), NOW)

    openings.closed(an_action(Verb.CLOSE), NOW)

    assert openings.of(an_action(Verb.CLOSE)) == an_opening()


def test_to_let_go_of_what_was_never_kept_keeps_nothing() -> None:
    ledger = MemoryLedger()

    Openings(ledger).closed(an_action(Verb.CLOSE), NOW)

    assert ledger.subjects([key(an_action())])[0].version == ""


def test_a_key_too_long_for_the_ledger_is_hashed() -> None:
    long = an_action(episode_key="é" * KEY_LIMIT)

    assert len(key(long)) < 100
    assert key(long) != key(an_action(episode_key="é" * KEY_LIMIT + "!"))
    assert key(an_action()) == "opened/oncall/afterrun/1/job/7/100"
