"""Owners: who is reached how."""

import pytest
from pydantic import SecretStr, ValidationError

from subscriber.owners import Owner, find

FINANCE = Owner(slack="U012AB3CD")
DATA = Owner(pagerduty=SecretStr("secret:pd-data"))
OWNERS = {"Finance Team": FINANCE, "data@shop.example": DATA}


@pytest.mark.parametrize("name", ["Finance Team", "finance team", "FINANCE TEAM", " Finance Team "])
def test_an_owner_is_found_by_name_whatever_the_case(name: str) -> None:
    assert find(OWNERS, name) is FINANCE


def test_an_owner_is_found_by_e_mail_address() -> None:
    assert find(OWNERS, "Data@Shop.example") is DATA


def test_the_first_name_that_is_known_counts() -> None:
    assert find(OWNERS, "nobody", "data@shop.example", "Finance Team") is DATA


@pytest.mark.parametrize("names", [(), ("",), ("nobody",), ("Finance",)])
def test_who_is_not_in_the_map_is_not_found(names: tuple[str, ...]) -> None:
    assert find(OWNERS, *names) is None


@pytest.mark.parametrize("user", ["U012AB3CD", "W012AB3CDEF", " U012AB3CD\n"])
def test_a_member_id_of_slack_is_taken(user: str) -> None:
    assert Owner(slack=user).slack == user.strip()


@pytest.mark.parametrize("user", ["", "@ada", "ada", "C012AB3CD", "u012ab3cd", "<@U012AB3CD>", "U"])
def test_what_is_no_member_id_is_refused(user: str) -> None:
    with pytest.raises(ValidationError, match="write the member id"):
        Owner(slack=user)


def test_a_routing_key_written_as_it_is_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValidationError, match="write where it is kept") as raised:
        Owner(pagerduty=SecretStr("0" * 32))

    assert "0" * 32 not in str(raised.value)


def test_an_owner_who_cannot_be_reached_is_refused() -> None:
    with pytest.raises(ValidationError, match="say how to reach"):
        Owner()


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Owner.model_validate({"slack": "U012AB3CD", "teams": "x"})
