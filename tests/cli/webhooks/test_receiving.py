import pytest

from cli.webhooks import receiving


@pytest.mark.parametrize(
    ("status", "says", "code"),
    [
        (202, "answered 202", 0),
        (204, "answered 204", 0),
        (301, "a redirect", 4),
        (401, "does not know this webhook's secret", 4),
        (403, "allow unauthenticated calls", 4),
        (404, "is it the one of the service", 4),
        (418, "answered 418: refused", 4),
        (429, "more instances", 5),
        (500, "is in trouble", 5),
        (503, "no secret of it can be read", 5),
        (None, "no answer", 5),
    ],
)
def test_each_answer_means_something_and_says_whether_to_try_again(
    status: int | None, says: str, code: int
) -> None:
    assert says in receiving.meaning(status)
    assert receiving.exit_code(status) == code


def test_a_401_that_is_not_ours_comes_from_something_before_the_receiver() -> None:
    ours = receiving.meaning(401, '{"error": "invalid signature"}')
    theirs = receiving.meaning(401, "<html>Unauthorized</html>")

    assert "does not know this webhook's secret" in ours
    assert "something before it wants a login" in theirs
