"""`afterrun webhooks create`, `update`, `delete` and `test`."""

import stat
from pathlib import Path

import pytest

from cli.exits import Exit
from lab.dbt_cloud import access
from lab.faults import Fault
from lab.secrets import ADD, CREATE
from tests.cli.running import Ran
from tests.cli.webhooks.side import Side


def shows_no_secret(side: Side, *ran: Ran) -> bool:
    """Whether nothing that was printed holds what a webhook signs with."""
    printed = "".join(each.out + each.err for each in ran)
    return bool(side.all) and not any(each.secret in printed for each in side.all)


def test_a_new_webhook_hears_of_the_end_of_every_run_and_its_secret_is_kept(side: Side) -> None:
    ran = side.create()

    assert ran.code == 0, ran.err
    (made,) = side.all
    assert made.wanted.event_types == ("job.run.completed", "job.run.errored")
    assert made.wanted.job_ids == ()
    assert side.secrets.values("dbt-webhook") == [made.secret]
    assert "WEBHOOK_SECRETS=secret:dbt-webhook" in ran.err
    assert shows_no_secret(side, ran)


def test_what_it_shall_be_can_be_said(side: Side) -> None:
    ran = side.create("--name", "Prod", "--events", "errored", "--jobs", "7,8", "--json")

    (made,) = side.all
    assert made.wanted.name == "Prod"
    assert made.wanted.event_types == ("job.run.errored",)
    assert made.wanted.job_ids == (7, 8)
    assert (ran.data["id"], ran.data["secret"]) == (made.id, "secret:dbt-webhook")
    assert shows_no_secret(side, ran)


def test_the_secret_can_go_to_a_file(side: Side, tmp_path: Path) -> None:
    path = tmp_path / "webhook-secret"

    ran = side.create(secret=f"file:{path}")

    assert ran.code == 0, ran.err
    assert path.read_text() == side.all[0].secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert shows_no_secret(side, ran)


def test_a_file_that_holds_something_is_overwritten_only_when_told_to(
    side: Side, tmp_path: Path
) -> None:
    path = tmp_path / "webhook-secret"
    path.write_text("somebody's")

    ran = side.create(secret=f"file:{path}")

    assert (ran.code, side.all) == (3, [])
    assert "--force" in ran.err
    assert path.read_text() == "somebody's"
    assert side.create("--force", secret=f"file:{path}").code == 0
    assert path.read_text() == side.all[0].secret


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        ("hunter2-the-secret-itself", "a secret is written here as it is"),
        ("env:WEBHOOK_SECRET", "cannot be put into a variable"),
        ("secret:dbt-webhook@3", "without a version"),
        ("file:relative", "malformed"),
        ("file:/no/such/folder/secret", "is no folder"),
    ],
)
def test_a_secret_that_cannot_be_kept_makes_no_webhook(side: Side, secret: str, says: str) -> None:
    ran = side.create(secret=secret)

    assert (ran.code, side.all) == (3, [])
    assert says in ran.err
    assert "hunter2" not in ran.err


@pytest.mark.parametrize("withheld", [{CREATE}, {ADD}])
def test_a_secret_manager_that_refuses_makes_no_webhook(side: Side, withheld: set[str]) -> None:
    side.secrets.withheld = withheld

    ran = side.create()

    assert (ran.code, side.all) == (4, [])
    posts = [call for call in side.cloud.admin_calls.all if call.method == "POST"]
    assert posts == []


def test_a_secret_that_cannot_be_stored_after_all_takes_the_webhook_back(side: Side) -> None:
    side.secrets.withheld = side.secrets.withheld_lately = {ADD}

    ran = side.create()

    assert (ran.code, side.all) == (4, [])
    assert "the secret could not be kept" in ran.err
    assert "the new webhook was deleted again" in ran.err


def test_a_webhook_that_cannot_be_taken_back_is_named(side: Side) -> None:
    side.secrets.withheld = side.secrets.withheld_lately = {ADD}
    side.cloud.admin_faults.next(Fault("answer", status=403, path="/subscription/"))

    ran = side.create()

    assert ran.code == 4
    assert f"afterrun webhooks delete {side.all[0].id}" in ran.err


def test_a_webhook_whose_answer_was_lost_is_taken_back(side: Side) -> None:
    others = [side.had(client_url="https://elsewhere.example"), side.had()]
    # the first request of that path lists, the second one makes
    side.cloud.admin_faults.next(Fault("slow", path="/subscriptions"))
    side.cloud.admin_faults.next(Fault("lost", path="/subscriptions"))

    ran = side.create("--force")

    assert ran.code == 5
    # one of the others has the same name and URL
    assert side.all == others
    assert "was deleted again; try again" in ran.err


def test_a_webhook_whose_answer_never_came_and_that_is_not_there_was_not_made(side: Side) -> None:
    side.cloud.admin_faults.next(Fault("slow", path="/subscriptions"))
    side.cloud.admin_faults.next(Fault("cut", path="/subscriptions"))

    ran = side.create()

    assert (ran.code, side.all) == (5, [])
    assert "no webhook was made" in ran.err


def test_a_second_webhook_to_the_same_url_would_tell_everything_twice(side: Side) -> None:
    first = side.made()

    ran = side.create(secret="secret:other")

    assert ran.code == 3
    assert f"{first.id} sends to this URL already" in ran.err
    assert side.create("--force", secret="secret:other").code == 0


def test_a_deactivated_webhook_to_the_same_url_is_in_nobodys_way(side: Side) -> None:
    side.had(active=False)

    assert side.create().code == 0


def test_the_secret_of_a_live_webhook_is_never_replaced(side: Side) -> None:
    first = side.made()
    side.tell()

    ran = side.create("--force")

    assert ran.code == 3
    assert f"holds the secret that {first.id} signs with" in ran.err
    assert side.secrets.values("dbt-webhook") == [first.secret]


def test_what_nobody_signs_with_is_replaced(side: Side) -> None:
    side.secrets.put("dbt-webhook", "from a webhook that was deleted")

    assert side.create().code == 0
    assert side.secrets.values("dbt-webhook")[-1] == side.all[0].secret


def test_what_nothing_is_known_of_is_replaced_only_when_told_to(side: Side) -> None:
    silent = side.had(client_url="https://elsewhere.example")
    side.secrets.put("dbt-webhook", "maybe of the other one")

    ran = side.create()

    assert ran.code == 3
    assert f"nothing shows whether {silent.id} signs with it" in ran.err
    assert side.create("--force").code == 0


def test_making_one_takes_more_than_the_right_to_look(side: Side) -> None:
    ran = side.create("--token", "env:OTHER", secret="secret:new")
    refused = side.run(
        "create", "--url", side.receiver.url, "--secret", "secret:x", DBT_TOKEN=access.TOKEN
    )

    assert ran.code == 3
    assert refused.code == 4
    assert "Account Admin, Admin or Developer" in refused.err
    assert side.all == []


def test_a_change_leaves_the_rest_as_it_is(side: Side) -> None:
    webhook = side.had(description="of ours", job_ids=(7,))

    ran = side.run("update", webhook.id, "--name", "Prod", "--events", "completed,errored,started")

    assert ran.code == 0, ran.err
    assert webhook.wanted.name == "Prod"
    assert len(webhook.wanted.event_types) == 3
    assert (webhook.wanted.job_ids, webhook.wanted.description) == ((7,), "of ours")
    assert webhook.wanted.client_url == side.receiver.url


def test_all_jobs_takes_the_list_away(side: Side) -> None:
    webhook = side.had(job_ids=(7,))

    side.run("update", webhook.id, "--all-jobs")

    assert webhook.wanted.job_ids == ()


@pytest.mark.parametrize("change", [("--active",), ("--url", "https://new.example/")])
def test_a_deactivated_webhook_is_made_active_again(side: Side, change: tuple[str, ...]) -> None:
    webhook = side.had(active=False)

    ran = side.run("update", webhook.id, *change, "--json")

    assert webhook.active
    assert ran.data["active"] is True


def test_a_webhook_can_be_switched_off(side: Side) -> None:
    webhook = side.had()

    side.run("update", webhook.id, "--inactive")

    assert not webhook.active


@pytest.mark.parametrize("change", [("--active",), ("--url", "URL")])
def test_a_change_that_would_tell_everything_twice_is_a_mistake(
    side: Side, change: tuple[str, ...]
) -> None:
    side.had()
    second = side.had(
        active=False, client_url=side.receiver.url if len(change) == 1 else "https://x.example"
    )
    change = tuple(side.receiver.url if each == "URL" else each for each in change)

    ran = side.run("update", second.id, *change)

    assert ran.code == 3
    assert "each event would come twice" in ran.err
    assert side.run("update", second.id, *change, "--force").code == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ((), "nothing to change"),
        (("--jobs", "1", "--all-jobs"), "say one of them"),
        (("--name", " "), "it is empty"),
    ],
)
def test_a_change_that_makes_no_sense_is_a_mistake(
    side: Side, change: tuple[str, ...], says: str
) -> None:
    ran = side.run("update", side.had().id, *change)

    assert ran.code == 3
    assert says in ran.err


@pytest.mark.parametrize(("answer", "is_deleted"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_it_is_asked_before_it_is_deleted(side: Side, answer: str, *, is_deleted: bool) -> None:
    ran = side.run("delete", side.had().id, answers=answer)

    assert ran.code == (0 if is_deleted else Exit.FOUND)
    assert (side.all == []) is is_deleted


def test_without_an_answer_nothing_is_deleted(side: Side) -> None:
    ran = side.run("delete", side.had().id)

    assert ran.code == Exit.USAGE
    assert "say --yes" in ran.err
    assert len(side.all) == 1


def test_with_yes_nothing_is_asked(side: Side) -> None:
    webhook = side.had()

    ran = side.run("delete", webhook.id, "--yes", "--json")

    assert ran.data == {"deleted": webhook.id}
    assert side.all == []


def test_a_test_shows_what_was_sent_and_answered(side: Side) -> None:
    webhook = side.made()

    ran = side.run("test", webhook.id)

    assert ran.code == 0
    assert "answered 202" in ran.out
    assert webhook.receipts[0].event.id in ran.out
    assert "job.run.completed" in ran.out
    assert shows_no_secret(side, ran)


def test_a_test_that_fails_says_what_that_means(side: Side) -> None:
    webhook = side.had()

    ran = side.run("test", webhook.id)

    assert ran.code == 4
    assert "the receiver does not know this" in ran.out


@pytest.mark.parametrize(
    ("fault", "code"),
    [(Fault("answer", status=404), 4), (Fault("answer", status=503), 5), (Fault("cut"), 5)],
)
def test_how_a_test_ends_tells_what_to_do(side: Side, fault: Fault, code: int) -> None:
    webhook = side.made()
    side.receiver.faults.next(fault)

    assert side.run("test", webhook.id, "--json").code == code


@pytest.mark.parametrize(("status", "code"), [(202, 0), (401, 4)])
def test_a_test_may_say_its_answer_only(side: Side, status: int, code: int) -> None:
    side.cloud.tests_say = "answer"
    webhook = side.made() if status == 202 else side.had()

    ran = side.run("test", webhook.id)

    assert ran.code == code
    assert f"answered {status}" in ran.out
