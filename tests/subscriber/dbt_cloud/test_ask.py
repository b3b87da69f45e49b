"""Asking dbt Cloud, over loopback, in all the ways it may answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from lab.dbt_cloud import samples
from lab.dbt_cloud.cloud import DbtCloud as Cloud
from lab.dbt_cloud.cloud import Served
from lab.dbt_cloud.readiness import Readiness
from lab.dbt_cloud.state import Run
from lab.faults import Fault
from shared.event import RunEvent, read
from subscriber.dbt_cloud.admin import Admin
from subscriber.dbt_cloud.ask import DbtCloud
from subscriber.dbt_cloud.discovery import Discovery
from subscriber.ledger.memory import MemoryLedger
from subscriber.outbound import Outbound
from subscriber.run import Answer, Question, Status
from tests.builders import Clock

FAILED = Question(results="failed")
ALL = Question(results="all")


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


class Asker:
    """Asks about runs of the lab's dbt Cloud as the subscriber does."""

    def __init__(
        self,
        served: Served,
        token: str,
        accounts: frozenset[str],
        read: Callable[[], str] | None = None,
        renew: Callable[[], bool] = lambda: False,
        read_timeout_s: float = 2.0,
        monotonic: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.clock = Clock()
        self.ledger = MemoryLedger()
        outbound = Outbound(read_timeout_s=read_timeout_s)
        shown = read or (lambda: token)
        self._dbt_cloud = DbtCloud(
            admin=Admin(served.base_url, shown, outbound),
            discovery=Discovery(f"{served.metadata_url}/graphql", shown, outbound),
            ledger=self.ledger,
            accounts=accounts,
            clock=self.clock,
            renew_token=renew,
            monotonic=monotonic,
        )

    def about(self, event: RunEvent, question: Question = FAILED) -> Answer:
        return self._dbt_cloud.about(event, question)


@contextmanager
def asking(
    cloud: Cloud,
    *,
    metadata_only: bool = False,
    token: str = "",
    accounts: tuple[str, ...] = (),
    read_timeout_s: float = 2.0,
) -> Iterator[Asker]:
    with cloud.running() as served:
        chosen = token or (served.metadata_only_token if metadata_only else served.token)
        yield Asker(served, chosen, frozenset(accounts), read_timeout_s=read_timeout_s)


def the_event(cloud: Cloud, run: Run) -> RunEvent:
    return read(cloud.webhooks.event(run, "job.run.completed").body)


def failed(answer: Answer) -> list[str]:
    return [result.name for result in answer.results if result.status is Status.FAILED]


@pytest.mark.parametrize("metadata_only", [False, True])
@pytest.mark.parametrize(
    ("sample", "names"),
    [
        ("model_error", ["orders"]),
        ("failing_test", ["unique_stg_customers_customer_id"]),
        ("seed_failure", ["raw_orders"]),
        ("source_freshness", ["till.receipts"]),
    ],
)
def test_the_failed_nodes_are_those_that_dbt_says_have_failed(cloud, metadata_only, sample, names):
    run = cloud.run(sample=sample)

    with asking(cloud, metadata_only=metadata_only) as asker:
        answer = asker.about(the_event(cloud, run))

    assert failed(answer) == names
    assert answer.is_final


def test_a_failed_run_costs_four_calls(cloud):
    run = cloud.run(sample="model_error")

    with asking(cloud) as asker:
        asker.about(the_event(cloud, run))

    assert len(cloud.admin_calls) + len(cloud.discovery_calls) == 4


def test_a_good_run_costs_one_call(cloud):
    run = cloud.run(sample="success")

    with asking(cloud) as asker:
        asker.about(the_event(cloud, run), Question())

    assert len(cloud.admin_calls) + len(cloud.discovery_calls) == 1


def test_the_run_is_known_with_its_trigger_link_and_commit(cloud):
    run = cloud.run(sample="model_error", cause_category="ci", pull_request_id=17)

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run))

    assert answer.run is not None
    assert answer.run.trigger == "ci"
    assert answer.run.link == run.href
    assert answer.run.git_sha == run.trigger.git_sha


def test_failed_nodes_come_with_their_tags_group_and_dependencies(cloud):
    run = cloud.run(sample="model_error")

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run))

    (orders,) = [result for result in answer.results if result.name == "orders"]
    assert orders.group
    assert orders.tags
    assert orders.depends_on


def test_a_compile_error_is_explained_by_the_log_of_its_step(cloud):
    run = cloud.run(sample="compile_error")

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run))

    assert answer.run is not None
    assert "Compilation Error" in answer.run.steps[-1].logs
    assert answer.results == ()
    assert answer.is_final


def test_missing_artifacts_are_made_up_for_by_discovery(cloud):
    run = cloud.run(sample="model_error", artifacts=Readiness(after_asks=None))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run))

    assert failed(answer) == ["orders"]


def test_missing_metadata_is_made_up_for_by_artifacts(cloud):
    run = cloud.run(sample="model_error", metadata=Readiness(after_asks=None))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run))

    assert failed(answer) == ["orders"]


@pytest.mark.parametrize("empty", ["null", "lists"])
def test_metadata_that_is_not_there_yet_is_not_the_last_word(cloud, empty):
    run = cloud.run(sample="model_error", metadata=Readiness(after_asks=1))
    run.empty_metadata = empty

    with asking(cloud, metadata_only=True) as asker:
        first = asker.about(the_event(cloud, run))
        second = asker.about(the_event(cloud, run))

    assert not first.is_final
    assert failed(second) == ["orders"]


@pytest.mark.parametrize("status", [200, 400])
def test_a_server_that_does_not_know_first_is_asked_without_it(cloud, status):
    cloud.discovery.behaviour.knows_first = False
    cloud.discovery.behaviour.invalid_status = status
    run = cloud.run(sample="model_error")

    with asking(cloud, metadata_only=True) as asker:
        answer = asker.about(the_event(cloud, run))

    assert failed(answer) == ["orders"]
    lists = [query.text for query in cloud.discovery.queries if "models" in query.text]
    assert ["first:" in text for text in lists] == [True, False]


def test_dbt_cloud_being_down_is_said_and_does_not_raise(cloud):
    run = cloud.run(sample="model_error")
    cloud.admin_faults.always(Fault("answer", 503))
    cloud.discovery_faults.always(Fault("cut"))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run))

    assert answer.results == ()
    assert answer.is_final
    assert any("503" in note for note in answer.notes)


def test_a_token_that_is_refused_is_said_with_what_to_look_at(cloud):
    run = cloud.run(sample="model_error")

    with asking(cloud, token="wrong") as asker:
        answer = asker.about(the_event(cloud, run))

    assert any("refused the token" in note for note in answer.notes)


def test_a_429_is_a_pause_of_five_minutes_that_the_ledger_shares(cloud):
    run = cloud.run(sample="model_error")
    cloud.admin_faults.next(Fault("answer", 429))

    with asking(cloud) as asker:
        asker.about(the_event(cloud, run))
        asker.clock.passes(299)
        calls = len(cloud.admin_calls)
        asker.about(the_event(cloud, run))
        assert len(cloud.admin_calls) == calls
        asker.clock.passes(2)
        answer = asker.about(the_event(cloud, run))

    assert failed(answer) == ["orders"]
    assert asker.ledger.cooldown("127.0.0.1") == Clock().now + timedelta(minutes=5)


def test_the_event_of_an_account_that_the_token_cannot_see_is_a_test(cloud):
    run = cloud.run(sample="model_error")
    elsewhere = replace(the_event(cloud, run), account_id="1", run_id="2")

    with asking(cloud) as asker:
        answer = asker.about(elsewhere)

    assert answer.is_unknown_account


def test_the_event_of_an_account_that_is_not_configured_costs_no_call(cloud):
    run = cloud.run(sample="model_error")

    with asking(cloud, accounts=("1",)) as asker:
        answer = asker.about(the_event(cloud, run))

    assert answer.is_unknown_account
    assert len(cloud.admin_calls) == 0


def test_a_run_that_is_missing_in_an_account_of_ours_is_told_all_the_same(cloud):
    run = cloud.run(sample="model_error")
    missing = replace(the_event(cloud, run), run_id="12345")

    with asking(cloud) as asker:
        answer = asker.about(missing)

    assert not answer.is_unknown_account
    assert any("no such run" in note for note in answer.notes)


def test_a_metadata_only_token_without_metadata_knows_nothing_yet(cloud):
    run = cloud.run(sample="model_error", metadata=Readiness(after_asks=None))

    with asking(cloud, metadata_only=True) as asker:
        answer = asker.about(the_event(cloud, run))

    assert not answer.is_final
    assert not answer.is_unknown_account


@pytest.mark.parametrize("refusal", [401, 403, 404])
def test_a_test_event_is_known_by_its_account_however_the_run_is_refused(cloud, refusal):
    run = cloud.run(sample="model_error")
    elsewhere = replace(the_event(cloud, run), account_id="1", run_id="2")
    cloud.admin_faults.next(Fault("answer", refusal, path="/runs/"))

    with asking(cloud) as asker:
        answer = asker.about(elsewhere)

    assert answer.is_unknown_account


def test_a_token_that_was_rotated_is_read_anew_when_it_is_refused(cloud):
    run = cloud.run(sample="model_error")
    with cloud.running() as served:
        token = ["the former one"]

        def renew() -> bool:
            token[0] = served.token
            return True

        asker = Asker(served, "", frozenset(), lambda: token[0], renew)
        answer = asker.about(the_event(cloud, run))

    assert failed(answer) == ["orders"]
    assert answer.notes == ()


def test_a_token_that_is_refused_does_not_hold_an_alert_back(cloud):
    run = cloud.run(sample="model_error")

    with asking(cloud, token="wrong") as asker:
        assert asker.about(the_event(cloud, run)).is_final


def test_a_page_in_place_of_the_api_is_said_to_be_one(cloud):
    run = cloud.run(sample="model_error")
    page = Fault("answer", 200, {"Content-Type": "text/html"}, "sign in here")
    cloud.admin_faults.always(page)
    cloud.discovery_faults.always(page)

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run))

    assert len(answer.notes) == 2
    assert all("is its URL right?" in note for note in answer.notes)
    assert answer.is_final


def test_only_a_step_that_checks_freshness_has_its_results_elsewhere(cloud):
    built = samples.load("model_error")
    steps = [
        replace(step, command=step.command.replace("dbt build", "dbt build -s tag:freshness"))
        for step in built.steps
    ]
    run = cloud.run(sample=replace(built, steps=tuple(steps)))
    cloud.discovery_faults.always(Fault("answer", 503))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run))

    assert failed(answer) == ["orders"]


def test_a_dbt_cloud_that_hangs_is_not_waited_for_long(cloud):
    run = cloud.run(sample="model_error")
    cloud.admin_faults.always(Fault("slow", seconds=3_600))

    with asking(cloud, read_timeout_s=0.1) as asker:
        answer = asker.about(the_event(cloud, run))

    assert failed(answer) == ["orders"]
    assert any("did not answer" in note for note in answer.notes)


def test_once_dbt_cloud_has_taken_long_nothing_more_is_asked(cloud):
    run = cloud.run(sample="model_error")
    looks = iter([0.0, 0.0, *[20.0] * 10])

    with cloud.running() as served:
        asker = Asker(served, served.token, frozenset(), monotonic=lambda: next(looks))
        answer = asker.about(the_event(cloud, run))

    assert len(cloud.admin_calls) + len(cloud.discovery_calls) == 1
    assert any("too slowly" in note for note in answer.notes)


def test_a_429_that_asks_for_more_than_five_minutes_gets_it(cloud):
    run = cloud.run(sample="model_error")
    cloud.admin_faults.next(Fault("answer", 429, {"Retry-After": "900"}))

    with asking(cloud) as asker:
        asker.about(the_event(cloud, run))

    assert asker.ledger.cooldown("127.0.0.1") == Clock().now + timedelta(minutes=15)
