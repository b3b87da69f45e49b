"""Google: what its APIs tell and refuse, in our words."""

from collections.abc import Iterator

import pytest

from cli.doctor import firestore, google
from cli.doctor.finding import State
from cli.doctor.google import Google, MayNot, NotFound
from lab.faults import Fault
from lab.google_apis import GoogleApis, deployed
from lab.serve import serve
from shared.errors import TemporaryFailure
from shared.settings import GoogleProject
from subscriber.outbound import Outbound
from subscriber.settings import LedgerSettings, Places

TOPIC = "projects/p/topics/dbt-cloud-events"
DATABASE = "firestore/v1/projects/p/databases/afterrun"
PLACES = Places(
    project=GoogleProject("p"),
    event_topic="t",
    event_subscription="e",
    dead_letter_topic="d",
    dead_letter_subscription="s",
    ledger=LedgerSettings("firestore", "p/afterrun"),
    secret_manager_host=None,
    firestore_host=None,
    is_emulated=False,
)


class Side:
    """Google as a stand-in plays it, and what is asked of it."""

    def __init__(self, url: str, apis: GoogleApis) -> None:
        self.apis = apis
        self.google = google.of_stand_in(url, "p", Outbound(read_timeout_s=2))

    def has_database(self) -> None:
        """A database as `deploy.firestore_indexes` makes it."""
        groups = f"{DATABASE}/collectionGroups"
        fields = [("kind", "ASCENDING"), ("recorded_at", "DESCENDING"), ("__name__", "DESCENDING")]
        index = {
            "queryScope": "COLLECTION",
            "fields": [{"fieldPath": name, "order": order} for name, order in fields],
            "state": "READY",
        }
        self.apis.resources |= {
            DATABASE: {
                "type": "FIRESTORE_NATIVE",
                "deleteProtectionState": "DELETE_PROTECTION_ENABLED",
            },
            f"{groups}/afterrun_work/indexes": {"indexes": [index]},
        }
        for group in ("afterrun_work", "afterrun_subjects"):
            field = {"ttlConfig": {"state": "ACTIVE"}}
            self.apis.resources[f"{groups}/{group}/fields/expire_at"] = field

    def checked(self) -> list[tuple[str, State, str]]:
        found = firestore.checked(self.google, PLACES)
        return [(each.name, each.state, each.said) for each in found]


@pytest.fixture
def side() -> Iterator[Side]:
    apis = GoogleApis()
    deployed(apis, "p", "europe-west1", "https://s")
    with serve(apis.app) as url:
        yield Side(url, apis)


def test_a_policy_is_who_has_which_role(side: Side) -> None:
    assert side.google.policy("pubsub", f"v1/{TOPIC}") == {
        "roles/pubsub.publisher": frozenset(
            {"serviceAccount:afterrun-receiver@p.iam.gserviceaccount.com"}
        )
    }


def test_a_policy_without_bindings_gives_nobody_anything(side: Side) -> None:
    assert side.google.policy("pubsub", "v1/projects/p/topics/other") == {}


def test_one_role_may_have_several_bindings() -> None:
    bindings = [
        {"role": "r", "members": ["a"]},
        {"role": "r", "members": ["b"], "condition": {"expression": "true"}},
    ]

    assert google.members({"bindings": bindings}) == {"r": frozenset({"a", "b"})}


@pytest.mark.parametrize("policy", [{}, {"bindings": 7}, {"bindings": [7, {"role": "r"}]}])
def test_a_policy_that_is_none_gives_nobody_anything(policy: dict[str, object]) -> None:
    assert google.members(policy) == {}


def test_permissions_are_those_that_are_had(side: Side) -> None:
    letters = "v1/projects/p/subscriptions/dbt-cloud-events-dead-letters"

    assert side.google.may("pubsub", letters, "pubsub.subscriptions.consume") == {
        "pubsub.subscriptions.consume"
    }
    assert side.google.may("pubsub", f"v1/{TOPIC}", "pubsub.topics.publish") == frozenset()


def test_what_is_not_there_is_not_found(side: Side) -> None:
    with pytest.raises(NotFound):
        side.google.get("iam", "v1/projects/-/serviceAccounts/x@y")


def test_what_may_not_be_looked_at_says_why(side: Side) -> None:
    side.apis.hidden.add("iam")
    side.apis.disabled.add("run")

    for service, why in (("iam", "may not look"), ("run", "run.googleapis.com is not enabled")):
        with pytest.raises(MayNot, match=why):
            side.google.get(service, "v1/x")


def test_google_that_is_away_is_a_temporary_failure(side: Side) -> None:
    side.apis.faults.always(Fault("answer", status=503, headers={"Retry-After": "1"}))

    with pytest.raises(TemporaryFailure):
        side.google.get("iam", "v1/x")


def test_each_service_has_its_own_address() -> None:
    made = Google("p", "me", Outbound(), dict)

    assert made.place("run") == "https://run.googleapis.com"


def test_a_database_as_it_should_be_is_well(side: Side) -> None:
    side.has_database()

    assert side.checked() == [
        ("database", State.OK, "it is in Native mode, and protected from being deleted"),
        ("indexes", State.OK, "all are there, and what has expired is removed"),
    ]


def test_a_database_that_is_not_there_fails(side: Side) -> None:
    assert side.checked() == [("database", State.FAILS, "there is no such database")]


def test_a_database_in_another_mode_fails(side: Side) -> None:
    side.has_database()
    side.apis.resources[DATABASE]["type"] = "DATASTORE_MODE"

    assert side.checked()[0] == ("database", State.FAILS, "it is not in Native mode")


def test_a_database_that_one_command_could_delete_is_to_be_looked_at(side: Side) -> None:
    side.has_database()
    del side.apis.resources[DATABASE]["deleteProtectionState"]

    assert side.checked()[0][1] is State.WARN


def test_a_missing_index_or_policy_fails(side: Side) -> None:
    side.has_database()
    groups = f"{DATABASE}/collectionGroups"
    side.apis.resources[f"{groups}/afterrun_work/indexes"] = {}
    side.apis.resources[f"{groups}/afterrun_subjects/fields/expire_at"] = {}

    assert side.checked()[1] == (
        "indexes",
        State.FAILS,
        "missing: afterrun_work (kind, recorded_at), TTL of afterrun_subjects.expire_at",
    )


def test_what_is_being_built_takes_some_minutes(side: Side) -> None:
    side.has_database()
    groups = f"{DATABASE}/collectionGroups"
    side.apis.resources[f"{groups}/afterrun_work/indexes"]["indexes"][0]["state"] = "CREATING"
    field = {"ttlConfig": {"state": "CREATING"}}
    side.apis.resources[f"{groups}/afterrun_work/fields/expire_at"] = field

    assert side.checked()[1] == (
        "indexes",
        State.WARN,
        "still being built: afterrun_work (kind, recorded_at), TTL of afterrun_work.expire_at",
    )


def test_an_index_in_another_order_is_another_index(side: Side) -> None:
    side.has_database()
    index = side.apis.resources[f"{DATABASE}/collectionGroups/afterrun_work/indexes"]["indexes"][0]
    index["fields"][1]["order"] = "ASCENDING"

    assert side.checked()[1][1] is State.FAILS


def test_a_database_that_is_hidden_is_skipped(side: Side) -> None:
    side.apis.hidden.add("firestore")

    assert [state for _, state, _ in side.checked()] == [State.SKIPPED]
