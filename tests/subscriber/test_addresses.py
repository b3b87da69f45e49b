"""Addresses that are secrets: kept to the letter, and never shown."""

import pytest

from shared.errors import PermanentFailure
from subscriber.addresses import secret_address

WHOLE = "https://x.example:443/workflows/a%2Fb/invoke?api-version=1&sp=%2Ftriggers&sig=s3cr3t"


def test_an_address_stays_as_it_is_to_the_letter() -> None:
    assert secret_address(f" {WHOLE}\n", "", "webhook_url") == WHOLE


def test_another_host_stands_in_place_of_its_own_and_nothing_else_changes() -> None:
    moved = secret_address(WHOLE, "http://127.0.0.1:8080/proxy", "webhook_url")

    path = WHOLE.removeprefix("https://x.example:443")
    assert moved == f"http://127.0.0.1:8080/proxy{path}"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "s3cr3t",
        "https://x.example",
        "https://x.example/",
        "http://x.example/s3cr3t",
        "ftp://x.example/s3cr3t",
        "https://user:s3cr3t@x.example/a",
        "https://x.example/s3cr3t and more",
        "https://[x/s3cr3t",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(written: str) -> None:
    with pytest.raises(PermanentFailure, match="copy the whole of it anew") as raised:
        secret_address(written, "", "webhook_url")

    assert "s3cr3t" not in str(raised.value)
