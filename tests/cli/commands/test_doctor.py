"""afterrun doctor: a deployment in the lab, whole and with parts that are broken."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.exits import Exit
from lab.faults import Fault
from tests.cli.doctor.world import REGION, World, a_world

WHERE = ("--region", REGION)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with a_world(tmp_path_factory.mktemp("doctor")) as world:
        world.stands.cloud.run()
        yield world


@pytest.fixture
def world(served: World) -> Iterator[World]:
    yield served
    served.stands.cloud.admin_faults.always(None)
    served.stands.mode.faults.always(None)
    served.google.hidden.clear()
    served.google.disabled.clear()
    served.stands.secrets.allow("mode-token")


def test_what_works_is_said_to_work_and_ends_with_0(world: World) -> None:
    ran = world.doctor(*WHERE)

    assert "FAILS" not in ran.out
    assert ran.code == 0
    assert ran.out.splitlines()[-1].endswith(" ok")


def test_the_groups_stand_in_one_order(world: World) -> None:
    titles = [line for line in world.doctor(*WHERE).out.splitlines()[:-1] if line[:1].strip()]

    assert titles == [
        "configuration",
        "secrets",
        "dbt Cloud",
        "destinations",
        "ledger",
        "Pub/Sub",
        "service",
    ]


def test_nobody_is_told_and_nothing_begins(world: World) -> None:
    world.doctor(*WHERE)

    assert world.stands.pagerduty.alerts == []
    assert world.stands.slack.messages == []
    assert world.stands.mode.runs == []
    assert world.stands.tableau.jobs == []
    assert len(world.stands.cloud.runs) == 1


def test_google_is_only_asked_to_tell(world: World) -> None:
    world.google.asked.clear()

    world.doctor(*WHERE)

    asked = set(world.google.asked)
    assert asked
    assert [each for each in asked if not each.startswith("GET ")] == [
        (
            "POST pubsub/v1/projects/afterrun-lab/subscriptions/"
            "dbt-cloud-events-dead-letters:testIamPermissions"
        )
    ]


def test_no_secret_is_shown(world: World) -> None:
    ran = world.doctor(*WHERE)
    data = world.doctor(*WHERE, "--json")

    values = [
        "0123456789abcdef0123456789abcdef",
        "lab-mode-token",
        "lab-mode-secret",
        "xoxb-lab-slack-token",
        "lab-tableau-secret",
        "dbtc_lab-may-read-everything",
    ]
    assert [each for each in values if each in ran.out + ran.err + data.out] == []


def test_what_fails_ends_with_1_and_says_what_mends_it(world: World) -> None:
    world.stands.mode.faults.always(Fault("answer", status=401))

    ran = world.doctor("--only", "destinations")

    assert ran.code == Exit.FOUND
    assert "FAILS   revenue (mode)" in ran.out
    assert "make a new pair" in " ".join(ran.out.split())


def test_only_one_group_is_looked_at_if_asked(world: World) -> None:
    ran = world.doctor("--only", "ledger")

    assert ran.out.splitlines()[0] == "ledger"
    assert "dbt Cloud" not in ran.out


def test_groups_that_do_not_exist_are_named(world: World) -> None:
    ran = world.doctor("--only", "ledgers")

    assert ran.code == Exit.USAGE
    assert "secrets, dbt-cloud, destinations, ledger, pubsub, service" in " ".join(ran.err.split())


def test_a_wrong_configuration_stops_only_what_depends_on_it(world: World, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("version: 1\nrules: 7\n")

    found = world.found(*WHERE, "--config", str(tmp_path / "wrong.yaml"))

    assert found["file"][0] == "fails"
    assert "wrong.yaml:" in found["file"][1]
    assert found["secrets, dbt Cloud, destinations"][0] == "skipped"
    assert found["sqlite"][0] == "ok"
    assert found["events, delivered"][0] == "ok"


def test_what_stops_a_group_is_said_when_only_that_is_asked_for(
    world: World, tmp_path: Path
) -> None:
    ran = world.doctor("--only", "destinations", "--config", str(tmp_path / "none.yaml"))

    assert ran.code == Exit.FOUND
    assert "cannot be read: No such file" in " ".join(ran.out.split())


def test_without_google_credentials_one_line_says_what_is_not_looked_at(world: World) -> None:
    ran = world.doctor(
        environ={
            "GOOGLE_APIS_EMULATOR_HOST": "",
            "PUBSUB_EMULATOR_HOST": "",
            "SECRET_MANAGER_EMULATOR_HOST": "",
            "GOOGLE_APPLICATION_CREDENTIALS": "",
            "CLOUDSDK_CONFIG": "/nowhere",
            "NO_GCE_CHECK": "true",
            "LEDGER": "firestore:p/afterrun",
        }
    )

    assert ran.code == 0
    assert without_spaces(ran.out) == without_spaces(
        "configuration ok file "
        f"{world.environ['AFTERRUN_CONFIG']}: 2 rules, 4 destinations "
        "skipped Google there are no Google credentials here, so not looked at: 6 secrets, "
        "dbt Cloud, 4 destinations, the ledger, Pub/Sub, what runs in the cloud "
        "do: gcloud auth application-default login "
        "1 not tried, 1 ok"
    )


def without_spaces(text: str) -> str:
    """A long path is broken somewhere: where, depends on the folder of the test."""
    return "".join(text.split())


def test_a_wrong_ledger_stops_what_needs_places(world: World) -> None:
    found = world.found("--ledger", "redis:localhost")

    assert found["LEDGER"][0] == "fails"
    assert found["ledger"] == ("skipped", "not looked at before LEDGER can be read", "")
    assert "memory" not in found
    assert found["events, delivered"][0] == "ok"
    assert found["host"][0] == "ok"


def test_a_secret_that_is_not_there_stops_its_destination_only(world: World) -> None:
    world.stands.secrets.deny("mode-token")

    found = world.found("--only", "secrets,destinations")

    state, said, mend = found["secret:mode-token"]
    assert state == "fails"
    assert "roles/secretmanager.secretAccessor" in said
    assert mend == (
        "gcloud secrets add-iam-policy-binding mode-token --project=afterrun-lab "
        "--member=user:YOUR-ADDRESS --role=roles/secretmanager.secretAccessor"
    )
    assert found["revenue (mode)"][:2] == (
        "skipped",
        (
            "not tried, since its token cannot be had: the secret cannot be read: "
            "PermissionDenied: this account needs roles/secretmanager.secretAccessor on it"
        ),
    )
    assert found["sales (tableau)"][0] == "ok"


def test_a_secret_that_the_service_may_not_read_is_to_be_looked_at(world: World) -> None:
    found = world.found("--only", "secrets")

    assert found["secret:slack-bot"] == (
        "warn",
        "for data-alerts.bot_token; its policy does not name afterrun-subscriber",
        (
            "gcloud secrets add-iam-policy-binding slack-bot --project=afterrun-lab "
            "--member=serviceAccount:afterrun-subscriber@afterrun-lab.iam.gserviceaccount.com "
            "--role=roles/secretmanager.secretAccessor"
        ),
    )


def test_a_secret_that_the_service_may_read_too_is_well(world: World) -> None:
    who = "serviceAccount:afterrun-subscriber@afterrun-lab.iam.gserviceaccount.com"
    world.google.policies["secretmanager/projects/afterrun-lab/secrets/slack-bot"] = {
        "roles/secretmanager.secretAccessor": [who]
    }

    found = world.found("--only", "secrets")

    assert found["secret:slack-bot"] == (
        "ok",
        "for data-alerts.bot_token; afterrun-subscriber may read it too",
        "",
    )


def test_what_these_credentials_may_not_look_at_is_skipped(world: World) -> None:
    world.google.hidden |= {"iam", "run", "secretmanager"}
    world.google.disabled.add("cloudscheduler")

    found = world.found(*WHERE)

    assert found["accounts"][0] == "skipped"
    assert found["afterrun-receiver"][:2] == ("skipped", "these credentials may not look at it")
    assert found["secret:slack-bot"][:2] == (
        "ok",
        "for data-alerts.bot_token; not shown: whether afterrun-subscriber may read it",
    )
    assert found["dbt-cloud-tick"][1] == (
        "the API cloudscheduler.googleapis.com is not enabled in the project"
    )


def test_where_nobody_said_the_region_the_services_are_skipped_with_what_to_say(
    world: World,
) -> None:
    found = world.found("--only", "service")

    assert found["services"] == (
        "skipped",
        "not looked at: nobody said in which region they run",
        "afterrun doctor --region REGION",
    )


def test_the_receiver_is_asked_whether_it_is_ready(world: World) -> None:
    found = world.found("--only", "service", "--receiver", "http://127.0.0.1:9")

    assert found["receiver"][0] == "fails"
    assert "could not be reached" in found["receiver"][1]


def test_a_receivers_url_is_checked(world: World) -> None:
    ran = world.doctor("--receiver", "http://receiver.example")

    assert ran.code == Exit.USAGE
    assert "use https://" in " ".join(ran.err.split())


def test_dbt_cloud_that_refuses_the_token_is_one_line(world: World) -> None:
    body = {"status": {"code": 401, "user_message": "Invalid token."}, "data": None}
    world.stands.cloud.admin_faults.always(Fault("answer", status=401, body=body))

    ran = world.doctor("--only", "dbt-cloud")

    assert ran.code == Exit.FOUND
    assert ran.out == (
        "dbt Cloud\n"
        "  ok      host   127.0.0.1 answers, and is dbt Cloud\n"
        "  FAILS   token  127.0.0.1 answers 401 to it, as it does to a token of another\n"
        "                 region or account host\n"
        "          fix: set `dbt_cloud.host` to the host that dbt Cloud shows in Account\n"
        "               settings, Access URLs; else make a service token there, and keep\n"
        "               it where `dbt_cloud.token` points to\n"
        "\n"
        "1 fails, 1 ok\n"
    )


def test_a_webhook_that_was_deactivated_fails(world: World) -> None:
    (webhook,) = world.stands.cloud.subscriptions.all
    webhook.active = False

    found = world.found("--only", "dbt-cloud")
    webhook.active = True

    state, said, mend = found["webhooks"]
    assert state == "fails"
    assert said.startswith(f"afterrun ({webhook.id}): it is deactivated: dbt Cloud sends nothing")
    assert mend == f"afterrun webhooks update {webhook.id} --active"


def test_a_webhook_to_another_receiver_is_none_of_ours(world: World) -> None:
    found = world.found("--only", "dbt-cloud", "--receiver", "https://receiver.example")

    assert found["webhooks"][:2] == ("fails", "none of 1 leads to receiver.example")


def test_what_is_not_dbt_cloud_is_said_to_be_something_else(world: World) -> None:
    world.stands.cloud.admin_faults.always(Fault("answer", status=404))

    found = world.found("--only", "dbt-cloud")

    assert found == {
        "host": (
            "fails",
            "what answers at 127.0.0.1 is not dbt Cloud's API: 127.0.0.1 answered 404",
            (
                "set `dbt_cloud.host` to the host that dbt Cloud shows in Account settings, "
                "Access URLs"
            ),
        )
    }


def test_on_a_narrow_terminal_each_thing_has_a_line_of_its_own(world: World) -> None:
    ran = world.doctor("--only", "ledger", columns=40)

    assert "  ok what is due\n    nothing waits\n" in ran.out
    assert all(len(line) <= 40 for line in ran.out.splitlines())
