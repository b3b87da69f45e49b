from collections.abc import Iterator

import pytest

from cli.webhooks.secret_version import SecretVersion
from lab.faults import Fault
from lab.secret_manager import SecretManager
from lab.secrets import ACCESS, ADD, CREATE, Secrets, State
from shared.errors import PermanentFailure, TemporaryFailure
from shared.secret_refs import SecretReader, parse


class Manager:
    """A Secret Manager, and the place `secret:dbt-webhook` in it."""

    def __init__(self, manager: SecretManager, host: str) -> None:
        self.secrets, self.faults = manager.secrets, manager.faults
        self.host = host

    def place(self, ref: str = "secret:dbt-webhook") -> SecretVersion:
        return SecretVersion(parse(ref), SecretReader(lambda: "acme", self.host))

    def store(self, ref: str = "secret:dbt-webhook") -> None:
        with self.place(ref).prepared() as stored:
            stored("hush")


@pytest.fixture
def manager() -> Iterator[Manager]:
    serving = SecretManager(Secrets("acme"))
    with serving.serve() as host:
        yield Manager(serving, host)


@pytest.mark.parametrize("ref", ["secret:dbt-webhook", "secret:projects/acme/secrets/dbt-webhook"])
def test_a_secret_that_is_missing_is_made(manager: Manager, ref: str) -> None:
    manager.store(ref)

    assert manager.secrets.values("dbt-webhook") == ["hush"]
    assert manager.place().value() == "hush"


def test_a_version_is_added_to_a_secret_that_is_there(manager: Manager) -> None:
    manager.secrets.put("dbt-webhook", "old")

    manager.store()

    assert manager.secrets.values("dbt-webhook") == ["old", "hush"]


def test_who_may_only_add_versions_can_store_where_a_secret_is(manager: Manager) -> None:
    manager.secrets.put("dbt-webhook", "old")
    manager.secrets.withheld = {CREATE, ACCESS}

    manager.store()

    assert manager.secrets.values("dbt-webhook") == ["old", "hush"]


@pytest.mark.parametrize(
    ("is_there", "withheld", "says"),
    [
        (True, {ADD}, "secretVersionAdder on it"),
        (False, {CREATE}, "gcloud secrets create dbt-webhook"),
        (False, {ADD}, "secretVersionAdder on it"),
    ],
)
def test_a_missing_permission_is_known_before_there_is_anything_to_store(
    manager: Manager, withheld: set[str], says: str, *, is_there: bool
) -> None:
    if is_there:
        manager.secrets.put("dbt-webhook", "old")
    manager.secrets.withheld = withheld

    with pytest.raises(PermanentFailure, match=says), manager.place().prepared():
        pytest.fail("nothing can be stored")


def test_a_permission_that_goes_meanwhile_is_said(manager: Manager) -> None:
    with manager.place().prepared() as stored:
        manager.secrets.withheld = {ADD}

        with pytest.raises(PermanentFailure, match="secretVersionAdder"):
            stored("hush")


@pytest.mark.parametrize("kind", ["cut", "lost"])
def test_an_answer_that_is_lost_is_asked_for_again(manager: Manager, kind: str) -> None:
    manager.faults.next(Fault(kind, path="AddSecretVersion"))  # type: ignore[arg-type]

    manager.store()

    assert manager.secrets.values("dbt-webhook")[-1] == "hush"


def test_a_name_that_is_not_valid_is_refused(manager: Manager) -> None:
    place = SecretVersion(parse("secret:dbt-webhook"), SecretReader(lambda: "a b/c", manager.host))

    with pytest.raises(PermanentFailure, match="takes no such name"), place.prepared():
        pytest.fail("nothing can be stored")


def test_without_a_project_that_is_what_is_said(manager: Manager) -> None:
    def nobody() -> str:
        raise PermanentFailure("no Google Cloud project is known")

    place = SecretVersion(parse("secret:dbt-webhook"), SecretReader(nobody, manager.host))

    with pytest.raises(PermanentFailure, match="no Google Cloud project"):
        place.holds()


def test_nothing_that_answers_is_a_temporary_failure(manager: Manager) -> None:
    nobody = SecretVersion(
        parse("secret:dbt-webhook"), SecretReader(lambda: "acme", "127.0.0.1:9"), limit_s=0.5
    )

    with pytest.raises(TemporaryFailure, match="Secret Manager"), nobody.prepared():
        pytest.fail("nothing can be stored")


def test_it_holds_a_secret_if_its_newest_version_is_one(manager: Manager) -> None:
    assert not manager.place().holds()

    manager.secrets.put("dbt-webhook", "old")
    assert manager.place().holds()

    manager.secrets.set_state("dbt-webhook", 1, State.DISABLED)
    assert not manager.place().holds()


def test_what_is_not_ours_to_read_may_be_a_secret(manager: Manager) -> None:
    manager.secrets.put("dbt-webhook", "old")
    manager.secrets.withheld = {ACCESS}

    assert manager.place().holds()
