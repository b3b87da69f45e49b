"""Asking dbt Cloud, over loopback, in all the ways it may answer."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

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
from subscriber.run import Answer, Question, Result, Status
from tests.builders import Clock

FAILED = Question(results="failed")
ALL = Question(results="all")
ORDERS = "model.teahouse.orders"


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

    with asking(cloud, read_timeout_s=0.5) as asker:
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


def steps_of(name: str, *commands: str) -> tuple[samples.SampleStep, ...]:
    """Those steps of a sample that ran one of `commands`."""
    return tuple(s for s in samples.load(name).steps if s.command.removeprefix("dbt ") in commands)


def made_of(*steps: samples.SampleStep, status: int = 10) -> samples.Sample:
    """A run of `steps` that real runs had."""
    return replace(samples.load("success"), steps=steps, status=status)


def by_status(answer: Answer) -> dict[Status, int]:
    return Counter(result.status for result in answer.results)


def named(answer: Answer, name: str) -> Result:
    (result,) = [result for result in answer.results if result.name == name]
    return result


def calls(cloud: Cloud) -> int:
    return len(cloud.admin_calls) + len(cloud.discovery_calls)


@pytest.mark.parametrize(
    ("sample", "found"),
    [
        ("success", {Status.GOOD: 29, Status.REUSED: 1}),
        ("several_steps", {Status.GOOD: 28}),
        ("warning", {Status.GOOD: 28, Status.REUSED: 1, Status.WARNED: 1}),
        ("failing_test", {Status.GOOD: 25, Status.REUSED: 1, Status.FAILED: 1, Status.SKIPPED: 3}),
        (
            "tolerated_freshness",
            {Status.GOOD: 30, Status.REUSED: 1, Status.FAILED: 1, Status.WARNED: 1},
        ),
    ],
)
def test_all_results_are_those_of_every_node_that_the_run_executed(cloud, sample, found):
    run = cloud.run(sample=sample)

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run), ALL)

    assert by_status(answer) == found
    assert answer.is_complete
    assert answer.is_final
    assert answer.notes == ()


@pytest.mark.parametrize(
    ("sample", "problems"),
    [
        ("several_steps", {}),
        ("warning", {"not_null_stg_teas_origin": Status.WARNED}),
        ("failing_test", {"unique_stg_customers_customer_id": Status.FAILED}),
        (
            "tolerated_freshness",
            {"till.receipts": Status.FAILED, "warehouse.deliveries": Status.WARNED},
        ),
    ],
)
def test_a_metadata_only_token_knows_all_results_from_discovery(cloud, sample, problems):
    run = cloud.run(sample=sample)

    with asking(cloud, metadata_only=True) as asker:
        answer = asker.about(the_event(cloud, run), ALL)

    found = {result.name: result.status for result in answer.results}
    assert {name: found[name] for name in problems} == problems
    assert answer.is_complete
    assert answer.is_final


def test_all_results_of_a_good_run_cost_two_calls(cloud):
    run = cloud.run(sample="success")

    with asking(cloud) as asker:
        asker.about(the_event(cloud, run), ALL)

    assert calls(cloud) == 2


@pytest.mark.parametrize("sample", ["model_error", "failing_test", "seed_failure", "warning"])
@pytest.mark.parametrize("question", [FAILED, ALL])
def test_no_usual_run_costs_more_than_five_calls(cloud, sample, question):
    run = cloud.run(sample=sample)

    with asking(cloud) as asker:
        asker.about(the_event(cloud, run), question)

    assert calls(cloud) <= 5


def test_results_of_the_failed_steps_alone_are_not_complete(cloud):
    run = cloud.run(sample="model_error")

    with asking(cloud) as asker:
        assert not asker.about(the_event(cloud, run), FAILED).is_complete


def test_results_of_the_failed_steps_are_complete_where_discovery_listed_them_all(cloud):
    run = cloud.run(sample="model_error")

    with asking(cloud, metadata_only=True) as asker:
        assert asker.about(the_event(cloud, run), FAILED).is_complete


def test_generating_docs_does_not_make_a_node_good(cloud):
    docs = steps_of("several_steps", "docs generate")
    run = cloud.run(sample=made_of(*steps_of("model_error", "deps", "build"), *docs, status=20))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run), ALL)

    assert failed(answer) == ["orders"]
    assert answer.is_complete


def test_docs_that_fail_within_a_good_run_leave_its_results_complete(cloud):
    (docs,) = steps_of("several_steps", "docs generate")
    docs = replace(docs, status=20, artifacts={})
    run = cloud.run(sample=made_of(*steps_of("success", "deps", "build"), docs))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run), ALL)

    assert answer.is_complete
    assert answer.run is not None
    assert [step.index for step in answer.run.steps if step.failed] == [5]


def test_a_retry_that_executes_what_was_skipped_is_the_last_word(cloud):
    failing, good = steps_of("model_error", "build")[0], steps_of("success", "build")[0]
    again = replace(good, command="dbt retry")
    run = cloud.run(sample=made_of(failing, again))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run), ALL)

    assert by_status(answer) == {Status.GOOD: 29, Status.REUSED: 1}


def test_a_step_that_only_skipped_a_node_takes_nothing_back(cloud):
    good, failing = steps_of("success", "build")[0], steps_of("model_error", "build")[0]
    run = cloud.run(sample=made_of(good, failing, status=20))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run), ALL)

    assert failed(answer) == ["orders"]
    assert named(answer, "customers").status is Status.GOOD


def test_an_artifact_of_another_run_is_none_of_this_one(cloud):
    (build,) = steps_of("success", "build")
    run = cloud.run(sample=made_of(build))
    left = dict(run.steps[-1].artifacts["run_results.json"])
    foreign = left | {"metadata": left["metadata"] | {"env": {"DBT_CLOUD_RUN_ID": "1"}}}
    cloud.admin_faults.always(
        Fault("answer", 200, body=foreign, path="/artifacts/run_results.json")
    )
    cloud.discovery_faults.always(Fault("answer", 503))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run), ALL)

    assert answer.results == ()
    assert not answer.is_complete


def test_what_the_step_before_left_behind_is_not_this_steps(cloud):
    (build,) = steps_of("success", "build")
    run = cloud.run(sample=made_of(build, build))
    cloud.discovery_faults.always(Fault("answer", 503))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run), ALL)

    assert by_status(answer) == {Status.GOOD: 29, Status.REUSED: 1}
    assert not answer.is_complete


def test_of_many_steps_the_last_ten_are_read_and_that_is_said(cloud):
    (build,) = steps_of("success", "build")
    run = cloud.run(sample=made_of(*[build] * 12))
    cloud.discovery_faults.always(Fault("answer", 503))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run), ALL)

    assert len(cloud.admin_calls) == 11
    assert not answer.is_complete
    assert any("10 of the run's 12 steps" in note for note in answer.notes)


def test_steps_that_were_never_reached_are_not_asked_for(cloud):
    (build,) = steps_of("model_error", "build")
    queued, cancelled = replace(build, status=1), replace(build, status=30)
    run = cloud.run(sample=made_of(build, queued, cancelled, status=20))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run), ALL)

    assert answer.run is not None
    assert [step.has_begun for step in answer.run.steps[2:]] == [True, False, True]


def test_a_step_that_wrote_nothing_is_made_up_for_by_discovery(cloud):
    build, *_ = steps_of("success", "build")
    silent = replace(build, artifacts={"manifest.json": (build.artifacts or {})["manifest.json"]})
    run = cloud.run(sample=made_of(build, silent))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run), ALL)

    assert answer.is_complete
    assert by_status(answer) == {Status.GOOD: 29, Status.REUSED: 1}


@pytest.mark.parametrize("metadata_only", [False, True])
def test_a_good_run_of_which_nothing_can_be_read_yet_is_asked_about_again(cloud, metadata_only):
    run = cloud.run(metadata=Readiness(after_asks=1), artifacts=Readiness(after_asks=1))

    with asking(cloud, metadata_only=metadata_only) as asker:
        first = asker.about(the_event(cloud, run), ALL)
        second = asker.about(the_event(cloud, run), ALL)

    assert (first.is_final, first.is_complete, first.was_down) == (False, False, False)
    assert (second.is_final, second.is_complete) == (True, True)


def test_a_run_without_a_step_that_executes_anything_is_complete_with_no_results(cloud):
    run = cloud.run(sample=made_of(*steps_of("several_steps", "deps", "docs generate")))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run), ALL)

    assert (answer.results, answer.is_complete, answer.is_final) == ((), True, True)


@pytest.mark.parametrize("fault", [Fault("answer", 503), Fault("answer", 429), Fault("cut")])
def test_an_api_that_is_down_is_told_apart_from_one_that_knows_nothing(cloud, fault):
    run = cloud.run(sample="success")
    cloud.admin_faults.always(fault)
    cloud.discovery_faults.always(fault)

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run), ALL)

    assert answer.was_down
    assert not answer.is_complete


def test_failed_warned_and_skipped_nodes_are_described_with_path_and_owner(cloud):
    run = cloud.run(sample="model_error")

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run))

    orders, customers = named(answer, "orders"), named(answer, "customers")
    assert orders.is_described
    assert orders.path == "models/marts/orders.sql"
    assert (orders.owner, orders.owner_email) == ("Finance data", "finance-data@teahouse.example")
    assert customers.owner == customers.owner_email == "crm@teahouse.example"


def test_a_test_is_whose_the_model_is_that_it_tests(cloud):
    run = cloud.run(sample="warning")

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run), ALL)

    warned = named(answer, "not_null_stg_teas_origin")
    assert warned.tags == ("completeness", "nightly")
    assert (warned.group, warned.owner) == ("assortment", "Assortment")
    assert warned.path == "models/staging/staging.yml"


def test_a_stale_source_has_its_owner(cloud):
    run = cloud.run(sample="source_freshness")

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run))

    assert named(answer, "till.receipts").owner == "till-team@teahouse.example"


@pytest.mark.parametrize("metadata_only", [False, True])
def test_without_an_environment_there_is_less_to_tell_and_nothing_to_note(cloud, metadata_only):
    run = cloud.run(sample="model_error")
    event = replace(the_event(cloud, run), environment_id="1")

    with asking(cloud, metadata_only=metadata_only) as asker:
        answer = asker.about(event)

    orders = named(answer, "orders")
    assert (orders.group, orders.owner, orders.path) == ("finance", "lena@teahouse.example", "")
    assert orders.depends_on
    assert len(answer.notes) == (1 if metadata_only else 0)


def test_where_the_runs_metadata_is_missing_the_projects_latest_state_describes(cloud):
    cloud.run(sample="success")
    run = cloud.run(sample="model_error", metadata=Readiness(after_asks=None))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run))

    orders = named(answer, "orders")
    assert orders.is_described
    assert (orders.owner, orders.path) == ("Finance data", "models/marts/orders.sql")
    assert orders.depends_on


def many_failing(count: int) -> samples.Sample:
    """A run in which `count` models failed that no metadata tells of."""
    (build,) = steps_of("model_error", "build")
    artifacts = dict(build.artifacts or {})
    results: list[dict[str, Any]] = [
        {"unique_id": f"model.teahouse.m{n}", "status": "error"} for n in range(count)
    ]
    artifacts["run_results.json"] = artifacts["run_results.json"] | {"results": results}
    return made_of(replace(build, artifacts=artifacts), status=20)


@pytest.mark.parametrize(("count", "queries"), [(1, 2), (50, 2), (51, 3), (120, 4), (5_000, 11)])
def test_thousands_of_nodes_that_nobody_knows_cost_one_query_for_five_hundred(
    cloud, count, queries
):
    run = cloud.run(sample=many_failing(count))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run))

    assert len(cloud.discovery_calls) == queries
    assert len(answer.results) == count
    assert answer.notes == ()


def test_nodes_that_the_runs_metadata_does_not_have_are_gone(cloud):
    run = cloud.run(sample="success")
    nodes = frozenset({ORDERS, "model.teahouse.old", "test.teahouse.old.0123456789"})

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run), Question("all", nodes))

    assert answer.gone == nodes - {ORDERS}


@pytest.mark.parametrize("knows_first", [True, False])
def test_what_is_gone_can_be_asked_alone_and_of_every_server(cloud, knows_first):
    cloud.discovery.behaviour.knows_first = knows_first
    run = cloud.run(sample="several_steps")
    nodes = frozenset({ORDERS, "snapshot.teahouse.tea_prices", "seed.teahouse.old"})

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run), Question(nodes=nodes))

    assert answer.gone == {"seed.teahouse.old"}
    assert answer.notes == ()


@pytest.mark.parametrize("empty", ["null", "lists"])
def test_nothing_is_gone_while_the_metadata_is_missing(cloud, empty):
    run = cloud.run(metadata=Readiness(after_asks=None))
    run.empty_metadata = empty

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run), Question("all", frozenset({"model.a.old"})))

    assert answer.gone == frozenset()


def test_lists_that_were_not_read_to_their_end_are_not_complete(cloud):
    (build,) = steps_of("success", "build")
    artifacts = dict(build.artifacts or {})
    manifest, results = artifacts["manifest.json"], artifacts["run_results.json"]
    names = [f"model.teahouse.m{n:03}" for n in range(150)]
    model = manifest["nodes"][ORDERS] | {"depends_on": {"nodes": []}}
    row = next(row for row in results["results"] if row["unique_id"] == ORDERS)
    artifacts["manifest.json"] = manifest | {
        "nodes": {name: model | {"unique_id": name} for name in names}
    }
    artifacts["run_results.json"] = results | {
        "results": [row | {"unique_id": name} for name in names]
    }
    run = cloud.run(sample=made_of(replace(build, artifacts=artifacts)))

    def looks() -> float:
        return 30.0 if cloud.discovery_calls.all else 0.0

    with cloud.running() as served:
        asker = Asker(served, served.metadata_only_token, frozenset(), monotonic=looks)
        answer = asker.about(the_event(cloud, run), ALL)

    assert len(answer.results) == 100
    assert not answer.is_complete
    assert any("more nodes than could be listed" in note for note in answer.notes)


def test_nothing_is_gone_before_the_run_is_completed(cloud):
    run = cloud.run(sample="model_error")
    errored = read(cloud.webhooks.event(run, "job.run.errored").body)

    with asking(cloud) as asker:
        answer = asker.about(errored, Question(nodes=frozenset({"model.teahouse.old"})))

    assert answer.gone == frozenset()


def test_a_dbt_cloud_that_went_down_is_not_asked_for_details(cloud):
    run = cloud.run(sample=many_failing(500))
    cloud.discovery_faults.always(Fault("answer", 429))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run))

    assert len(cloud.discovery_calls) <= 3
    assert len(answer.results) == 500


def test_nothing_is_gone_that_discovery_does_not_show_one_by_one(cloud):
    run = cloud.run()
    nodes = frozenset({"unit_test.teahouse.orders.old", "operation.teahouse.old", "old"})

    with asking(cloud) as asker:
        assert asker.about(the_event(cloud, run), Question(nodes=nodes)).gone == frozenset()


def test_the_newest_run_of_the_job_is_found_among_those_of_others(cloud):
    run = cloud.run()
    newest = cloud.start()
    cloud.run(cloud.add_job("Another job"))

    with asking(cloud) as asker:
        answer = asker.about(the_event(cloud, run), Question(newest_run=True))

    assert answer.newest_run == newest.id
    assert calls(cloud) == 2


def test_the_newest_run_is_not_known_to_a_token_that_may_not_list_runs(cloud):
    run = cloud.run()

    with asking(cloud, metadata_only=True) as asker:
        answer = asker.about(the_event(cloud, run), Question(newest_run=True))

    assert answer.newest_run is None


def test_a_run_that_goes_on_is_said_to_and_is_not_complete(cloud):
    run = cloud.run(sample="success")
    event = the_event(cloud, run)
    run.status = 3

    with asking(cloud) as asker:
        answer = asker.about(event, ALL)

    assert any("still goes on" in note for note in answer.notes)
    assert not answer.is_complete


def test_a_status_that_is_not_the_events_is_said(cloud):
    run = cloud.run(sample="model_error")
    event = the_event(cloud, run)
    run.status = 30

    with asking(cloud) as asker:
        answer = asker.about(event)

    assert any("failed, dbt Cloud's API that it was cancelled" in note for note in answer.notes)
