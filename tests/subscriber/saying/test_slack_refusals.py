"""What Slack's refusals mean: for good or for now, and what mends them."""

import pytest

from shared.errors import PermanentFailure, TemporaryFailure
from subscriber.outbound import Busy, Refused, Reply, UnknownOutcome
from subscriber.saying.slack_refusals import is_yes, refusal, translated, word


def a_no(error: str, **more: object) -> Reply:
    """The Web API's, with HTTP 200."""
    return Reply(200, {"ok": False, "error": error, **more}, "{...}")


def a_plain_no(status: int, body: str) -> Reply:
    """A webhook's."""
    return Reply(status, None, body)


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        ("channel_not_found", "check `channel`"),
        ("not_in_channel", "invite it there"),
        ("is_archived", "unarchive it, or choose another"),
        ("is_inactive", "unarchive it, or choose another"),
        ("restricted_action", "ask an admin"),
        ("no_permission", "use the app's bot token"),
        ("missing_scope", "add it under OAuth & Permissions"),
        ("no_text", "fault of Afterrun"),
        ("msg_too_long", "fault of Afterrun"),
        ("invalid_blocks", "fault of Afterrun"),
        ("invalid_blocks_format", "fault of Afterrun"),
        ("msg_blocks_too_long", "fault of Afterrun"),
        ("too_many_attachments", "fault of Afterrun"),
        ("invalid_arg_name", "fault of Afterrun"),
        ("something_new", "docs.slack.dev"),
    ],
)
def test_what_cannot_be_mended_by_another_try_is_refused_with_its_fix(error: str, fix: str) -> None:
    failure = refusal(a_no(error))

    assert isinstance(failure, PermanentFailure)
    assert f"({error})" in str(failure)
    assert fix in str(failure)


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        ("invalid_auth", "copy the Bot User OAuth Token"),
        ("not_authed", "copy the Bot User OAuth Token"),
        ("account_inactive", "install the app again"),
        ("token_revoked", "install the app again"),
        ("token_expired", "without token rotation"),
        ("not_allowed_token_type", "use the app's bot token"),
    ],
)
def test_a_refused_token_is_one_that_is_read_anew(error: str, fix: str) -> None:
    failure = refusal(a_no(error))

    assert isinstance(failure, Refused)
    assert failure.status == 401
    assert fix in str(failure)


@pytest.mark.parametrize(
    "error",
    [
        "ratelimited",
        "rate_limited",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
    ],
)
def test_what_may_pass_is_tried_again_and_not_before_slack_wants_it(error: str) -> None:
    failure = refusal(a_no(error), retry_after_s=77)

    assert isinstance(failure, TemporaryFailure)
    assert failure.retry_after_s == 77
    assert error in str(failure)


def test_each_refusal_is_told_apart() -> None:
    errors = ("is_archived", "not_in_channel", "missing_scope", "token_revoked", "invalid_auth")

    assert len({str(refusal(a_no(error))) for error in errors}) == len(errors)


@pytest.mark.parametrize(
    ("needed", "named"),
    [("chat:write.public", "chat:write.public"), ("<b>", "chat:write"), (7, "chat:write")],
)
def test_the_scope_that_is_missing_is_named(needed: object, named: str) -> None:
    failure = refusal(a_no("missing_scope", needed=needed))

    assert f"lacks the scope {named}: add it" in str(failure)


@pytest.mark.parametrize(
    ("status", "body", "raised", "fix"),
    [
        (400, "invalid_payload", 400, "fault of Afterrun"),
        (400, "invalid_blocks", 400, "fault of Afterrun"),
        (400, "no_text", 400, "fault of Afterrun"),
        (400, "user_not_found", 400, "add a new webhook"),
        (403, "action_prohibited", 403, "ask an admin"),
        (403, "invalid_token", 401, "copy the whole of it"),
        (404, "channel_not_found", 404, "the webhook's channel is not there any more"),
        (404, "no_service", 401, "removed or disabled"),
        (404, "no_team", 401, "workspace is not there any more"),
        (410, "channel_is_archived", 410, "unarchive it"),
    ],
)
def test_a_webhook_says_no_in_plain_words(status: int, body: str, raised: int, fix: str) -> None:
    failure = translated(Refused("it answered", status, a_plain_no(status, body)))

    assert isinstance(failure, Refused)
    assert failure.status == raised
    assert f"({body})" in str(failure)
    assert fix in str(failure)


def test_a_webhook_that_is_busy_stays_so_and_says_why() -> None:
    busy = Busy("x", status=429, retry_after_s=7, reply=a_plain_no(429, "rate_limited"))

    failure = translated(busy)

    assert isinstance(failure, Busy)
    assert (failure.status, failure.retry_after_s) == (429, 7)
    assert str(failure) == "x: rate_limited"


def test_what_may_have_arrived_stays_unknown() -> None:
    unknown = UnknownOutcome("x", status=500, reply=a_plain_no(500, "rollup_error"))

    assert isinstance(translated(unknown), UnknownOutcome)


@pytest.mark.parametrize(
    "body", ["", "<html>", "xoxb-123-abc", "0123456789abcdef", "a" * 61, "no_service or so", "ä"]
)
def test_an_answer_that_is_no_word_of_slacks_is_not_repeated(body: str) -> None:
    refused = Refused("x answered 404", 404, a_plain_no(404, body))

    assert word(refused.reply) == ""
    assert str(translated(refused)).startswith("x answered 404, which is not Slack: check the")
    assert "is not Slack" in str(refusal(a_plain_no(200, body)))


@pytest.mark.parametrize(
    ("reply", "yes"),
    [
        (Reply(200, {"ok": True}, '{"ok":true}'), True),
        (Reply(200, None, "ok\n"), True),
        (Reply(200, {"ok": False}, '{"ok":false}'), False),
        (Reply(200, {"ok": "true"}, "{}"), False),
        (Reply(200, [], "[]"), False),
        (Reply(200, None, ""), False),
        (Reply(200, None, "<html>ok</html>"), False),
    ],
)
def test_only_ok_is_a_yes(reply: Reply, yes: bool) -> None:  # noqa: FBT001 - a row of a table
    assert is_yes(reply) is yes
