import pytest

from lab.dbt_cloud.cloud import DbtCloud
from lab.dbt_cloud.readiness import Readiness
from lab.dbt_cloud.schema import schema
from tests.lab.dbt_cloud.client import Client, by_id

PAGED = """
query Page($jobId: BigInt!, $runId: BigInt, $first: Int, $after: String) {
  job(id: $jobId, runId: $runId) {
    tests(first: $first, after: $after) { uniqueId paginationCursor }
  }
}
"""
IDS = "query Ids($jobId: BigInt!, $runId: BigInt) { job(id: $jobId, runId: $runId) { id runId } }"


def test_a_failed_model_has_its_error_and_what_depends_on_it_is_skipped(
    cloud: DbtCloud, client: Client
) -> None:
    run = cloud.run(sample="model_error")

    models = by_id(client.job(run)["models"])

    assert models["orders"]["status"] == "error"
    assert "Could not convert string" in models["orders"]["error"]
    assert models["orders"]["dbtGroup"] == "finance"
    assert models["orders"]["tags"] == ["nightly", "finance"]
    assert models["orders"]["meta"]["owner"] == "lena@teahouse.example"
    assert (models["customers"]["status"], models["customers"]["skip"]) == ("skipped", True)
    assert models["customers"]["error"] is None
    assert models["stg_orders"]["status"] == "success"


def test_every_node_of_the_project_is_listed_with_nulls_where_it_was_not_executed(
    cloud: DbtCloud, client: Client
) -> None:
    run = cloud.run(sample="source_freshness")

    job = client.job(run)

    assert len(job["models"]) == 10
    for row in job["models"]:
        assert (row["status"], row["skip"], row["error"], row["runGeneratedAt"]) == (None,) * 4
    for row in job["tests"]:
        assert (row["state"], row["status"], row["fail"], row["runGeneratedAt"]) == (None,) * 4


def test_a_failing_test_counts_its_rows_in_status_and_says_fail_in_state(
    cloud: DbtCloud, client: Client
) -> None:
    run = cloud.run(sample="failing_test")

    tests = by_id(client.job(run)["tests"])

    failed = tests["unique_stg_customers_customer_id"]
    assert (failed["state"], failed["status"], failed["fail"]) == ("fail", "2", True)
    assert (failed["warn"], failed["error"]) == (False, None)
    assert failed["dependsOn"] == ["model.teahouse.stg_customers"]
    passed = tests["unique_stg_orders_order_id"]
    assert (passed["state"], passed["status"], passed["fail"]) == ("pass", "0", False)
    skipped = tests["unique_customers_customer_id"]
    assert (skipped["state"], skipped["skip"], skipped["fail"]) == (None, True, False)


def test_a_test_that_warned_says_so(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run(sample="warning")

    warned = by_id(client.job(run)["tests"])["not_null_stg_teas_origin"]

    assert (warned["state"], warned["warn"], warned["fail"]) == ("warn", True, False)


def test_a_failed_seed_has_its_error(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run(sample="seed_failure")

    job = client.job(run)

    assert "a hundred" in by_id(job["seeds"])["raw_orders"]["error"]
    assert by_id(job["seeds"])["raw_teas"]["status"] == "success"
    assert by_id(job["snapshots"])["tea_prices"]["status"] == "success"


def test_sources_have_their_freshness_where_it_was_looked_at(
    cloud: DbtCloud, client: Client
) -> None:
    run = cloud.run(sample="source_freshness")

    sources = by_id(client.job(run)["sources"])

    assert {name: source["state"] for name, source in sources.items()} == {
        "receipts": "Error",
        "deliveries": "Warn",
        "stock_counts": "Pass",
        "suppliers": None,
    }
    assert sources["receipts"]["criteria"] == {
        "warnAfter": {"count": 12, "period": "hour"},
        "errorAfter": {"count": 1, "period": "day"},
    }
    assert 107_000 < sources["receipts"]["maxLoadedAtTimeAgoInS"] < 110_000
    assert sources["suppliers"]["freshnessChecked"] is False


def test_generating_docs_after_it_does_not_change_what_a_run_executed(
    cloud: DbtCloud, client: Client
) -> None:
    run = cloud.run(sample="several_steps")

    tests = client.job(run)["tests"]

    assert {row["state"] for row in tests} == {"pass"}


@pytest.mark.parametrize("as_text", [True, False])
def test_ids_are_taken_as_numbers_and_as_text(
    cloud: DbtCloud, client: Client, *, as_text: bool
) -> None:
    run = cloud.run()
    shown = str if as_text else int

    answer = client.discover(IDS, jobId=shown(run.job.id), runId=shown(run.id)).json()

    assert answer == {"data": {"job": {"id": run.job.id, "runId": run.id}}}


def test_an_id_beyond_what_javascript_counts_exactly_comes_as_text(client: Client) -> None:
    big = schema().type_map["BigInt"]

    written = [big.serialize(number) for number in (2**53 - 1, 2**53)]  # type: ignore[attr-defined]

    assert written == [2**53 - 1, str(2**53)]


@pytest.mark.parametrize("wrong", [True, 1.5, "12a", "", {}])
def test_what_is_no_id_is_refused(cloud: DbtCloud, client: Client, wrong: object) -> None:
    answer = client.discover(IDS, jobId=wrong)

    assert answer.status_code == 200
    assert answer.json()["errors"]


def test_without_a_run_the_latest_of_the_job_is_meant(cloud: DbtCloud, client: Client) -> None:
    cloud.run()
    latest = cloud.run()

    answer = client.discover(IDS, jobId=latest.job.id).json()

    assert answer["data"]["job"]["runId"] == latest.id


@pytest.mark.parametrize("sample", ["compile_error", "clone_failure", "cancelled"])
def test_a_run_that_wrote_no_manifest_is_null(cloud: DbtCloud, client: Client, sample: str) -> None:
    assert client.job(cloud.run(sample=sample)) is None


def test_a_run_of_another_job_is_null(cloud: DbtCloud, client: Client) -> None:
    other, run = cloud.add_job("Hourly build"), cloud.run()

    answer = client.discover(IDS, jobId=other.id, runId=run.id).json()

    assert answer == {"data": {"job": None}}


def test_metadata_may_come_after_some_asking(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run(sample="model_error", metadata=Readiness(after_asks=2))

    answers = [client.job(run) for _ in range(3)]

    assert answers[:2] == [None, None]
    assert answers[2]["runId"] == run.id


def test_metadata_may_come_when_told_and_be_empty_lists_before(
    cloud: DbtCloud, client: Client
) -> None:
    run = cloud.run(sample="model_error", metadata=Readiness(None))
    run.empty_metadata = "lists"
    before = client.job(run)

    run.metadata.become_ready()

    assert before["models"] == before["tests"] == before["sources"] == []
    assert len(client.job(run)["models"]) == 10


def test_single_nodes_can_be_asked_for_by_their_ids(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run(sample="model_error")
    query = """
      query One($jobId: BigInt!, $runId: BigInt) { job(id: $jobId, runId: $runId) {
        failed: model(uniqueId: "model.teahouse.orders") { status dependsOn compiledCode }
        unknown: model(uniqueId: "model.teahouse.nothing") { status }
        other: model(uniqueId: "seed.teahouse.raw_teas") { status }
        seed(uniqueId: "seed.teahouse.raw_teas") { status }
        source(uniqueId: "source.teahouse.till.receipts") { sourceName meta }
        exposure(name: "revenue_dashboard") { ownerEmail dependsOn }
      } }"""

    job = client.discover(query, jobId=run.job.id, runId=run.id).json()["data"]["job"]

    assert job["failed"]["status"] == "error"
    assert job["failed"]["dependsOn"] == [
        "model.teahouse.stg_orders",
        "model.teahouse.stg_receipts",
    ]
    assert "left join" in job["failed"]["compiledCode"]
    assert (job["unknown"], job["other"]) == (None, None)
    assert job["seed"] == {"status": "success"}
    assert job["source"] == {
        "sourceName": "till",
        "meta": {"owner": "till-team@teahouse.example"},
    }
    assert job["exposure"]["dependsOn"] == ["model.teahouse.revenue_by_day"]


def test_a_list_can_be_read_page_by_page(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run()

    pages: list[list[dict[str, str]]] = []
    after = None
    while not pages or len(pages[-1]) == 6:
        answer = client.discover(PAGED, jobId=run.job.id, runId=run.id, first=6, after=after).json()
        pages.append(answer["data"]["job"]["tests"])
        after = pages[-1][-1]["paginationCursor"]

    assert [len(page) for page in pages] == [6, 6, 3]
    assert len({row["uniqueId"] for page in pages for row in page}) == 15


@pytest.mark.parametrize(("first", "after"), [(101, None), (-1, None), (5, "not a cursor")])
def test_a_page_that_cannot_be_is_an_error_with_status_200(
    cloud: DbtCloud, client: Client, first: int, after: str | None
) -> None:
    run = cloud.run()

    answer = client.discover(PAGED, jobId=run.job.id, runId=run.id, first=first, after=after)

    assert answer.status_code == 200
    assert answer.json()["errors"]


@pytest.mark.parametrize("status", [200, 400])
def test_a_server_may_not_know_pages_and_says_that_the_query_is_not_valid(
    cloud: DbtCloud, client: Client, status: int
) -> None:
    run = cloud.run()
    cloud.discovery.behaviour.knows_first = False
    cloud.discovery.behaviour.invalid_status = status

    answer = client.discover(PAGED, jobId=run.job.id, runId=run.id, first=6)

    assert answer.status_code == status
    assert "data" not in answer.json()
    messages = [error["message"] for error in answer.json()["errors"]]
    assert any("Unknown argument 'first'" in message for message in messages)
    assert len(client.job(run)["tests"]) == 15


def test_without_first_a_server_may_answer_a_part_only(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run()
    cloud.discovery.behaviour.rows_without_first = 4

    job = client.job(run)

    assert [len(job["models"]), len(job["tests"]), len(job["snapshots"])] == [4, 4, 1]


def test_models_can_be_looked_up_by_where_they_are(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run()
    query = """
      query Where($jobId: BigInt!) { job(id: $jobId) {
        here: models(database: "analytics", schema: "teahouse", identifier: "orders") { name }
        nowhere: models(schema: "elsewhere") { name }
      } }"""

    job = client.discover(query, jobId=run.job.id).json()["data"]["job"]

    assert job == {"here": [{"name": "orders"}], "nowhere": []}


def test_a_token_for_metadata_is_enough(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run()
    metadata_only = f"Token {client.served.metadata_only_token}"

    answer = client.discover(IDS, authorization=metadata_only, jobId=run.job.id)

    assert answer.json()["data"]["job"]["runId"] == run.id


def test_a_wrong_token_is_refused(client: Client) -> None:
    assert client.discover(IDS, authorization="Bearer wrong", jobId=1).status_code == 401


def test_a_query_that_is_not_graphql_is_an_error(client: Client) -> None:
    assert client.discover("{ job(").json()["errors"]
