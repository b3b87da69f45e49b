"""`afterrun webhooks list`, `get`, `events` and `receipts`."""

import pytest

from lab.dbt_cloud import access
from lab.faults import Fault
from tests.cli.webhooks.side import Side


def test_an_account_without_webhooks_has_a_sentence(side: Side) -> None:
    ran = side.run("list")

    assert ran.code == 0
    assert "has no webhooks: `afterrun webhooks create` makes one" in ran.out


def test_a_webhook_is_shown_with_what_it_sends_where_and_how_that_goes(side: Side) -> None:
    webhook = side.made()
    side.tell()

    ran = side.run("list")

    assert ran.out == (
        "Afterrun\n"
        f"id      {webhook.id}\n"
        f"URL     {side.receiver.url}\n"
        "events  completed, errored\n"
        "jobs    all\n"
        "state   active\n"
        "last    202, 0 s ago\n"
        "warning: its URL is not https: whoever is on the way can read its events\n"
    )
    assert ran.err == ""


@pytest.mark.parametrize("columns", [40, 80])
def test_no_line_is_longer_than_the_terminal_but_those_that_people_copy(
    side: Side, columns: int
) -> None:
    side.made()
    side.tell()

    ran = side.run("list", columns=columns)

    long = [line for line in ran.out.splitlines() if len(line) > columns]
    assert all(" " not in line.split(maxsplit=1)[1] for line in long)


def test_a_webhook_that_does_not_reach_anybody_says_so(side: Side) -> None:
    side.had()
    side.tell()

    ran = side.run("list")

    assert "401" in ran.out
    assert "its last delivery failed: answered 401" in ran.out


def test_a_deactivated_webhook_says_why_and_how_to_mend_it(side: Side) -> None:
    webhook = side.had()
    side.cloud.subscriptions.failures_limit = 1
    side.tell()

    ran = side.run("get", webhook.id, columns=40)

    assert "deactivated" in ran.out
    assert "Deactivated after 1 consecutive failed deliveries" in " ".join(ran.out.split())
    assert f"  afterrun webhooks update {webhook.id} --active\n" in ran.out


def test_as_data_each_webhook_has_what_is_wrong_with_it(side: Side) -> None:
    webhook = side.had(event_types=("job.run.completed",), job_ids=(7,))

    ran = side.run("list", "--json")

    (found,) = ran.data
    assert (found["id"], found["jobs"], found["active"]) == (webhook.id, ["7"], True)
    assert [each["code"] for each in found["concerns"]] == [
        "no-errored",
        "not-https",
        "listed-jobs",
    ]
    assert side.run("get", webhook.id, "--json").data == found


def test_all_are_listed(side: Side) -> None:
    made = [side.had(name=f"number {number}").id for number in range(12)]

    assert [each["id"] for each in side.run("list", "--json").data] == made


def test_events_are_what_was_sent_and_answered(side: Side) -> None:
    webhook = side.made()
    side.tell()
    side.receiver.faults.next(Fault("answer", status=503))
    side.tell()

    ran = side.run("events", webhook.id)

    assert ran.code == 0
    assert ran.out.count("completed") == 2
    assert "503" in ran.out
    assert "202" in ran.out
    assert all(event.id in ran.out for event in webhook.events)
    assert all(len(line) <= 80 for line in ran.out.splitlines())


def test_events_are_limited(side: Side) -> None:
    webhook = side.made()
    for _ in range(3):
        side.tell()

    ran = side.run("events", webhook.id, "--limit", "2")

    assert ran.out.count("wev_") == 2
    assert "2 of 3" in ran.err


def test_a_webhook_without_events_has_a_sentence(side: Side) -> None:
    ran = side.run("events", side.made().id)

    assert "Nothing was sent lately" in ran.out
    assert side.run("events", side.all[0].id, "--json").data == []


def test_receipts_show_each_attempt_but_no_signature_that_could_be_used(side: Side) -> None:
    webhook = side.made()
    side.cloud.subscriptions.pauses_s = (0.0,)
    side.receiver.faults.next(Fault("answer", status=503))
    side.tell()
    event = webhook.events[0].id
    signature = webhook.receipts[0].posted.headers["Authorization"]

    ran = side.run("receipts", webhook.id, event)
    as_data = side.run("receipts", webhook.id, event, "--json")

    assert "attempt 1" in ran.out
    assert "attempt 2" in ran.out
    assert "answered 503" in ran.out
    assert f"{signature[:8]}… (64 characters)" in ran.out
    assert signature not in ran.out + as_data.out
    assert [each["status"] for each in as_data.data] == [503, 202]
    assert as_data.data[0]["request_body"].encode() == webhook.events[0].body


@pytest.mark.parametrize("command", ["list", "get", "events", "receipts"])
def test_who_may_only_look_can_look(side: Side, command: str) -> None:
    webhook = side.made()
    side.tell()
    arguments = {"list": (), "receipts": (webhook.id, webhook.events[0].id)}

    ran = side.run(command, *arguments.get(command, (webhook.id,)), DBT_TOKEN=access.TOKEN)

    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    ("token", "says"),
    [
        (access.METADATA_TOKEN, "Account Admin, Admin or Developer"),
        ("dbtc_wrong-as-can-be", "must be your account's access URL"),
    ],
)
def test_who_may_not_is_told_what_it_takes(side: Side, token: str, says: str) -> None:
    ran = side.run("list", DBT_TOKEN=token)

    assert ran.code == 4
    assert says in ran.err
    assert token not in ran.err


def test_an_id_that_is_none_is_a_mistake(side: Side) -> None:
    ran = side.run("get", "../../secrets")

    assert ran.code == 3
    assert "this is no id" in ran.err


def test_a_dbt_cloud_that_is_down_is_a_reason_to_come_back(side: Side) -> None:
    side.cloud.admin_faults.always(Fault("answer", status=503, headers={"Retry-After": "0"}))

    assert side.run("list").code == 5
