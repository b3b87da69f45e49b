"""Destinations: what a look at one says, whoever has repeated a secret in it."""

from typing import ClassVar

import pytest
from pydantic import SecretStr

from cli.doctor import destinations
from cli.doctor.finding import About, Group, State
from shared.errors import PermanentFailure
from subscriber.destination import Destination, Does
from subscriber.examined import Examined
from subscriber.outbound import Outbound

SECRET = "s3cr3t-0123456789"
ABOUT = About(Group.DESTINATIONS, "it")


class Leaking(Destination):
    """A vendor that repeats what it was told."""

    does: ClassVar[Does] = Does.TELL
    token: SecretStr
    base_url: str = "https://leaking.example"
    refuses: bool = False

    def examine(self, outbound: Outbound) -> Examined:
        said = f"it says {self.token.get_secret_value()}"
        if self.refuses:
            raise PermanentFailure(said)
        return Examined(said, doubts=(said,))


def a_leak(**fields: object) -> Destination:
    return Leaking.model_validate({"token": "env:T", **fields}).with_secrets(lambda _: SECRET)


def test_what_a_vendor_repeats_shows_no_secret() -> None:
    found = destinations.examined(a_leak(), Outbound())

    assert SECRET not in repr(found)
    assert found.doubts


def test_nor_does_a_refusal() -> None:
    with pytest.raises(PermanentFailure) as raised:
        destinations.examined(a_leak(refuses=True), Outbound())

    assert SECRET not in str(raised.value)


def test_what_was_not_tried_is_not_called_well() -> None:
    (found,) = destinations.judged(ABOUT, Examined("it answers", is_tried=False))

    assert (found.state, found.mend) == (State.SKIPPED, "afterrun send")


def test_a_doubt_stands_beside_what_is_well() -> None:
    found = destinations.judged(ABOUT, Examined("well", doubts=("but",)))

    assert [(each.state, each.said) for each in found] == [(State.OK, "well"), (State.WARN, "but")]


def test_a_kind_that_knows_no_way_to_look_says_so() -> None:
    class Plain(Destination):
        base_url: str = "https://plain.example"

    found = Plain().examine(Outbound())

    assert found == Examined("it cannot be tried without telling somebody", is_tried=False)
