"""What a network adds: lost answers, refusals, contention; and what Google keeps for us."""

import socket
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from uuid import uuid4

import grpc
import pytest
from google.cloud.firestore import Client

from shared.errors import Mistake, PermanentFailure, TemporaryFailure
from subscriber.ledger.contract import (
    DECISION_LIMIT_BYTES,
    DECISION_LIMIT_WRITES,
    KEEP_SETTLED,
    KEY_LIMIT,
    Change,
    Refusal,
    Settlement,
    Subject,
    Work,
)
from subscriber.ledger.firestore import META, SUBJECTS, FirestoreLedger
from subscriber.ledger.firestore_database import Database, Document
from subscriber.ledger.firestore_queries import WORK
from tests.emulators import ON_FIRESTORE
from tests.subscriber.ledger.builders import LEASE, NOW, SECOND, seen, some_work
from tests.subscriber.ledger.contenders import all_act_once, all_decisions_count
from tests.subscriber.ledger.firestore_proxy import COMMIT, Faults, proxy

pytestmark = ON_FIRESTORE

COMMIT_LIMIT_BYTES = 10 * 2**20  # Google's; the emulator takes 4 MiB
NOWHERE = "127.0.0.1:9"  # calls that are answered by the proxy go no further


@pytest.fixture
def project() -> str:
    return f"test-{uuid4().hex}"


@pytest.fixture
def database(project: str, firestore_emulator: str) -> Database:
    return Database(project, "(default)", firestore_emulator, 5.0)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def ledger(project: str, firestore_emulator: str, faults: Faults) -> Iterator[FirestoreLedger]:
    """A ledger on the emulator, with faults in between."""
    with proxy(firestore_emulator, faults) as host:
        ledger = FirestoreLedger(project, "(default)", host, timeout_s=30)
        ledger.check()
        faults.commits = 0
        yield ledger


@pytest.fixture
def refusing(project: str, faults: Faults) -> Iterator[FirestoreLedger]:
    """A ledger with nothing but faults."""
    with proxy(NOWHERE, faults) as host:
        yield FirestoreLedger(project, "(default)", host, timeout_s=0.2)


def test_who_only_reads_what_exists_writes_nothing(
    project: str, firestore_emulator: str, faults: Faults
) -> None:
    FirestoreLedger(project, "(default)", firestore_emulator, timeout_s=30).record(some_work())
    with proxy(firestore_emulator, faults) as host:
        reading = FirestoreLedger(project, "(default)", host, timeout_s=30, must_exist=True)

        found = reading.recorded(some_work().kind, before=NOW + SECOND, limit=10)

        assert [work.key for work in found] == [some_work().key]
        assert faults.commits == 0


def test_a_database_that_has_to_exist_is_not_made(project: str, firestore_emulator: str) -> None:
    ledger = FirestoreLedger(project, "(default)", firestore_emulator, must_exist=True)

    for _ in range(2):
        with pytest.raises(Mistake, match="nothing was ever recorded"):
            ledger.due(NOW, 1)


@pytest.mark.parametrize("contend", [all_act_once, all_decisions_count])
def test_processes_that_contend_for_a_database_lose_nothing_and_do_nothing_twice(
    project: str, firestore_emulator: str, contend: Callable[..., None]
) -> None:
    ledger = FirestoreLedger(project, "(default)", firestore_emulator, timeout_s=30)

    contend(ledger, "firestore", project, firestore_emulator)


# answers that are lost


def test_recording_survives_a_lost_answer(ledger: FirestoreLedger, faults: Faults) -> None:
    faults.lost = 1

    ledger.record(some_work())

    assert faults.commits == 2
    assert ledger.work("work") == some_work()


def test_a_claim_whose_answer_was_lost_is_granted_once(
    ledger: FirestoreLedger, faults: Faults
) -> None:
    ledger.record(some_work())
    faults.lost = 1

    work = ledger.claim("work", owner="me", now=NOW, lease=LEASE)

    assert isinstance(work, Work)
    assert (work.owner, work.attempts) == ("me", 1)
    assert ledger.work("work") == work
    assert ledger.claim("work", owner="you", now=NOW, lease=LEASE) is Refusal.BUSY


def test_settling_and_postponing_survive_a_lost_answer(
    ledger: FirestoreLedger, faults: Faults
) -> None:
    ledger.record(some_work())
    ledger.claim("work", owner="me", now=NOW, lease=LEASE)
    faults.lost = 1
    assert ledger.postpone("work", owner="me", due_at=NOW, result={}, counted=False)
    ledger.claim("work", owner="you", now=NOW, lease=LEASE)
    faults.lost = 1

    assert ledger.settle("work", owner="you", now=NOW, result={"dedup_key": "abc"})

    work = ledger.work("work")
    assert work is not None
    assert (work.is_settled, work.attempts) == (True, 1)
    assert work.result == {"dedup_key": "abc"}


@pytest.mark.parametrize("is_new", [True, False], ids=["new subject", "known subject"])
def test_a_decision_recognises_its_own_write_after_a_lost_answer(
    ledger: FirestoreLedger, faults: Faults, *, is_new: bool
) -> None:
    if not is_new:
        ledger.decide([Change(seen(ledger, "job/17"), {"n": 0})], [])
    before = seen(ledger, "job/17")
    ledger.record(some_work("known"))
    faults.lost = 1

    assert ledger.decide([Change(before, {"n": 1})], [some_work("open")])
    faults.lost = 1
    assert ledger.decide(
        [Change(seen(ledger, "job/17"), {"n": 2})], [some_work("known"), some_work("close")]
    )

    assert seen(ledger, "job/17").body == {"n": 2}
    assert {work.key for work in ledger.due(NOW, 10)} == {"known", "open", "close"}


@pytest.mark.parametrize("changes", [0, 1, 2])
def test_a_decision_that_settles_recognises_its_own_write_after_a_lost_answer(
    ledger: FirestoreLedger, faults: Faults, changes: int
) -> None:
    ledger.record(some_work())
    ledger.claim("work", owner="me", now=NOW, lease=LEASE)
    before = ledger.subjects(["job/17", "job/18"][:changes])
    faults.lost = 1

    assert ledger.decide(
        [Change(subject, {"n": 1}) for subject in before],
        [some_work("open")],
        Settlement("work", "me", NOW, {"outcome": "failed"}),
    )

    assert faults.lost == 0
    assert [work.key for work in ledger.due(NOW + LEASE, 10)] == ["open"]
    assert all(seen(ledger, subject.key).body == {"n": 1} for subject in before)


def test_a_decision_whose_answer_was_lost_and_on_which_others_decided_since_is_seen_by_reading(
    project: str, firestore_emulator: str
) -> None:
    class Overtaken(Faults):
        """When the first decision comes again, somebody has decided on what it wrote."""

        def take(self, method: str, request: bytes) -> tuple[grpc.StatusCode | None, bool]:
            if method == COMMIT and not self.lost and self.commits == 1:
                decide_on_what_is_there()
            return super().take(method, request)

    direct = FirestoreLedger(project, "(default)", firestore_emulator, timeout_s=30)
    before = seen(direct, "job/17")

    def decide_on_what_is_there() -> None:
        found = seen(direct, "job/17")
        assert direct.decide([Change(found, {"n": [*found.body["n"], "other"]})], [])

    faults = Overtaken()
    with proxy(firestore_emulator, faults) as host:
        ledger = FirestoreLedger(project, "(default)", host, timeout_s=30)
        ledger.check()
        faults.commits, faults.lost = 0, 1

        assert not ledger.decide([Change(before, {"n": ["mine"]})], [])

    assert seen(direct, "job/17").body == {"n": ["mine", "other"]}


def test_reopening_recognises_its_own_write_after_a_lost_answer(
    ledger: FirestoreLedger, faults: Faults
) -> None:
    ledger.record(some_work(due_at=None))
    faults.lost = 1

    assert ledger.reopen("work", now=NOW)

    assert faults.lost == 0
    assert not ledger.reopen("work", now=NOW)


def test_a_cooldown_survives_a_lost_answer(ledger: FirestoreLedger, faults: Faults) -> None:
    faults.lost = 1

    ledger.cool_down("host", NOW)

    assert ledger.cooldown("host") == NOW


# refusals


@pytest.mark.parametrize(
    "status",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
    ],
)
def test_what_may_work_at_once_is_tried_again_at_once(
    ledger: FirestoreLedger, faults: Faults, status: grpc.StatusCode
) -> None:
    faults.answers = deque([status, status])

    ledger.record(some_work())

    assert faults.commits == 3
    assert ledger.work("work") == some_work()


@pytest.mark.parametrize(
    "status",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    ],
)
def test_what_may_work_later_is_a_temporary_failure(
    refusing: FirestoreLedger, faults: Faults, status: grpc.StatusCode
) -> None:
    faults.always = status

    for call in (
        lambda: refusing.record(some_work()),
        lambda: refusing.work("work"),
        lambda: refusing.due(NOW, 10),
    ):
        with pytest.raises(TemporaryFailure, match="Firestore"):
            call()


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, "roles/datastore.user"),
        (grpc.StatusCode.UNAUTHENTICATED, "roles/datastore.user"),
        (grpc.StatusCode.NOT_FOUND, "no such database"),
        (grpc.StatusCode.FAILED_PRECONDITION, "Native mode"),
    ],
)
def test_what_a_person_must_mend_is_a_mistake_that_says_how(
    refusing: FirestoreLedger, faults: Faults, status: grpc.StatusCode, told: str
) -> None:
    faults.always = status

    for call in (
        refusing.check,
        lambda: refusing.record(some_work()),
        lambda: refusing.claim("work", owner="me", now=NOW, lease=LEASE),
        lambda: refusing.due(NOW, 10),
    ):
        with pytest.raises(Mistake, match=told):
            call()


def test_what_google_cannot_read_is_a_permanent_failure(
    refusing: FirestoreLedger, faults: Faults
) -> None:
    faults.always = grpc.StatusCode.INVALID_ARGUMENT

    with pytest.raises(PermanentFailure):
        refusing.record(some_work())


def test_a_server_that_is_not_there_is_a_reason_to_try_again(project: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    ledger = FirestoreLedger(project, "(default)", f"127.0.0.1:{port}", timeout_s=0.2)

    with pytest.raises(TemporaryFailure):
        ledger.work("work")


def test_missing_credentials_are_a_mistake_told_on_first_use(
    project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "missing.json")
    ledger = FirestoreLedger(project, "(default)")

    with pytest.raises(Mistake, match="credentials"):
        ledger.check()


@pytest.mark.parametrize(
    ("version", "way_out"),
    [
        (1, "older version of the program.* name a new ledger, and close by hand"),
        (3, "newer version of the program: run the program that wrote it"),
    ],
    ids=["older", "newer"],
)
def test_a_database_of_another_version_is_refused_with_the_way_out_before_it_is_read(
    project: str, firestore_emulator: str, database: Database, version: int, way_out: str
) -> None:
    database.write([Document(META, "schema", {"version": version})])
    ledger = FirestoreLedger(project, "(default)", firestore_emulator)

    for call in (
        ledger.check,
        lambda: ledger.record(some_work()),
        lambda: ledger.subjects(["job/17"]),
        lambda: ledger.due(NOW, 10),
    ):
        with pytest.raises(Mistake, match=f"its version is {version}, .*{way_out}"):
            call()
    assert not database.read(WORK, ["work"])[0].version


# what Google takes, and what it keeps for us


def test_the_greatest_decision_fits_into_a_commit(ledger: FirestoreLedger, faults: Faults) -> None:
    # as many documents as may be, whose keys take four bytes a character
    keys = [f"{number:03}" + "🔑" * (KEY_LIMIT - 3) for number in range(DECISION_LIMIT_WRITES)]
    left = DECISION_LIMIT_BYTES - sum(len(key.encode()) for key in keys)
    body = {"x": "x" * (left // DECISION_LIMIT_WRITES - len('{"x":""}{}'))}
    faults.always = grpc.StatusCode.UNKNOWN

    with pytest.raises(TemporaryFailure):
        ledger.decide(
            [Change(Subject(keys[0], {}), body)], [some_work(key, body=body) for key in keys[1:]]
        )

    assert DECISION_LIMIT_BYTES < faults.largest_bytes < COMMIT_LIMIT_BYTES


def test_actions_that_are_known_are_not_read_again_with_their_bodies(
    ledger: FirestoreLedger, faults: Faults
) -> None:
    due = [some_work(str(number), body={"x": "x" * 600_000}) for number in range(5)]
    assert ledger.decide([Change(seen(ledger, "job"), {})], due)
    faults.answered_bytes = 0

    assert ledger.decide([Change(seen(ledger, "job"), {})], due)

    assert faults.answered_bytes < 10_000


def test_databases_of_one_project_are_apart(project: str, firestore_emulator: str) -> None:
    FirestoreLedger(project, "one", firestore_emulator).record(some_work())

    assert FirestoreLedger(project, "other", firestore_emulator).work("work") is None


def test_settled_work_says_when_google_may_delete_it_and_is_no_longer_indexed_as_due(
    ledger: FirestoreLedger, database: Database
) -> None:
    ledger.record(some_work())
    (waiting,) = database.read(WORK, ["work"])
    ledger.claim("work", owner="me", now=NOW, lease=LEASE)
    ledger.settle("work", owner="me", now=NOW + SECOND, result={})
    (settled,) = database.read(WORK, ["work"])

    assert "expire_at" not in waiting.values
    assert isinstance(settled.values["expire_at"], datetime)
    assert settled.values["expire_at"] == NOW + SECOND + KEEP_SETTLED
    assert "due_at" not in settled.values


def test_a_subject_says_when_google_may_delete_it_until_it_is_to_be_kept_for_ever(
    ledger: FirestoreLedger, database: Database
) -> None:
    ledger.decide([Change(seen(ledger, "job"), {}, expire_at=NOW)], [])
    (expiring,) = database.read(SUBJECTS, ["job"])
    ledger.decide([Change(seen(ledger, "job"), {})], [])
    (kept,) = database.read(SUBJECTS, ["job"])

    assert isinstance(expiring.values["expire_at"], datetime)
    assert expiring.values["expire_at"] == NOW
    assert "expire_at" not in kept.values


def test_reopened_work_is_not_deleted(ledger: FirestoreLedger, database: Database) -> None:
    ledger.record(some_work(due_at=None))

    ledger.reopen("work", now=NOW)

    (reopened,) = database.read(WORK, ["work"])
    assert "expire_at" not in reopened.values


def test_the_emulator_of_the_environment_is_used_when_none_is_handed_in(
    project: str, firestore_emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)

    FirestoreLedger(project, "(default)").record(some_work())

    documents = Client(project=project).collection(WORK).get(timeout=5)
    assert [document.get("key") for document in documents] == ["work"]
