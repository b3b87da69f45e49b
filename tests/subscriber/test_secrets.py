"""Secrets: read when first used, kept for five minutes."""

from dataclasses import replace

import pytest

from shared.errors import PermanentFailure
from shared.secret_refs import Secret, SecretRef
from subscriber.secrets import KEPT_S, Secrets

REF = SecretRef("secret", "pd-routing-key")
OTHER = SecretRef("secret", "pd-routing-key", "2")


class Store:
    """Where secrets are; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[SecretRef] = []
        self.value = "first"
        self.now = 1_000.0
        self.secrets = Secrets(self.read, clock=lambda: self.now)

    def read(self, ref: SecretRef) -> Secret:
        self.asked.append(ref)
        if not self.value:
            raise PermanentFailure(f"the secret {ref} is empty or not set")
        return Secret(self.value, replace(ref, version=str(len(self.asked))))


def test_nothing_is_read_before_it_is_used() -> None:
    assert Store().asked == []


def test_a_secret_is_kept_for_five_minutes() -> None:
    store = Store()

    assert store.secrets.value(REF) == "first"
    store.value = "second"
    store.now += KEPT_S - 1
    assert store.secrets.value(REF) == "first"
    store.now += 1
    assert store.secrets.value(REF) == "second"

    assert store.asked == [REF, REF]


def test_a_secret_may_be_read_anew_and_is_kept_then() -> None:
    store = Store()
    store.secrets.value(REF)

    store.value = "second"

    assert store.secrets.anew(REF).value == "second"
    assert store.secrets.value(REF) == "second"
    assert len(store.asked) == 2


def test_each_version_is_a_secret_of_its_own() -> None:
    store = Store()
    store.secrets.value(REF)

    store.value = "second"

    assert store.secrets.value(OTHER) == "second"
    assert store.secrets.value(REF) == "first"


def test_a_secret_that_cannot_be_read_is_asked_for_again_the_next_time() -> None:
    store = Store()
    store.value = ""

    with pytest.raises(PermanentFailure):
        store.secrets.value(REF)
    store.value = "found"

    assert store.secrets.value(REF) == "found"


def test_what_is_kept_outlives_a_failed_look_for_something_newer() -> None:
    store = Store()
    store.secrets.value(REF)
    store.value = ""

    with pytest.raises(PermanentFailure):
        store.secrets.anew(REF)

    assert store.secrets.value(REF) == "first"


def test_no_secret_is_shown_when_they_are_printed() -> None:
    store = Store()
    store.secrets.value(REF)

    assert "first" not in repr(store.secrets)


def test_a_secret_is_kept_with_the_version_it_was_resolved_to() -> None:
    store = Store()

    assert store.secrets.secret(REF) == Secret("first", replace(REF, version="1"))
    assert store.secrets.secret(REF).pinned.version == "1"
    assert store.secrets.anew(REF).pinned.version == "2"


def test_a_new_version_with_the_same_value_is_no_other_secret() -> None:
    store = Store()
    store.secrets.secret(REF)

    assert not store.secrets.renew(REF)
    store.value = "second"
    assert store.secrets.renew(REF)
