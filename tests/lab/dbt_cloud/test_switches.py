"""Faults and records, for each API by itself."""

import pytest
import requests

from lab.dbt_cloud import refusals
from lab.dbt_cloud.cloud import DbtCloud
from lab.faults import Fault
from tests.lab.dbt_cloud.client import RUN_QUERY, Client


def test_the_admin_api_can_be_down_while_discovery_answers(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run()
    cloud.admin_faults.always(refusals.DOWN)

    assert client.run(run).status_code == 503
    assert client.job(run) is not None


def test_discovery_can_be_down_while_the_admin_api_answers(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run()
    cloud.discovery_faults.always(refusals.DOWN)

    assert client.discover(RUN_QUERY, jobId=run.job.id).status_code == 503
    assert client.run(run).status_code == 200


@pytest.mark.parametrize(("seconds", "said"), [(None, None), (300, "300")])
def test_whoever_asks_too_often_is_told_so_with_or_without_a_time(
    cloud: DbtCloud, client: Client, seconds: int | None, said: str | None
) -> None:
    run = cloud.run()
    cloud.admin_faults.next(refusals.too_many_requests(seconds))

    answer = client.run(run)

    assert answer.status_code == 429
    assert answer.headers.get("Retry-After") == said
    assert client.run(run).status_code == 200


def test_one_kind_of_request_can_fail_alone(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run()
    cloud.admin_faults.always(Fault("answer", status=500, path="run_results.json"))

    assert client.run(run, "artifacts/run_results.json").status_code == 500
    assert client.run(run, "artifacts/manifest.json").status_code == 200


def test_calls_are_recorded_for_each_api_with_no_secret_in_them(
    cloud: DbtCloud, client: Client
) -> None:
    run = cloud.run()

    client.run(run, include_related="run_steps")
    client.run(run, "artifacts/run_results.json", step=1)
    client.job(run)

    prefix = f"/api/v2/accounts/{cloud.account_id}/runs/{run.id}/"
    assert [
        (call.method, call.path, call.query, call.status) for call in cloud.admin_calls.all
    ] == [
        ("GET", prefix, "include_related=run_steps", 200),
        ("GET", f"{prefix}artifacts/run_results.json", "step=1", 404),
    ]
    assert [(call.method, call.path, call.status) for call in cloud.discovery_calls.all] == [
        ("POST", "/graphql", 200)
    ]
    recorded = f"{cloud.admin_calls.all} {cloud.discovery_calls.all} {cloud.discovery.queries}"
    assert client.served.token not in recorded


def test_calls_that_met_a_fault_count_too(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run()
    cloud.admin_faults.next(refusals.DOWN)
    cloud.admin_faults.next(Fault("cut"))

    client.run(run)
    with pytest.raises(requests.ConnectionError):
        client.run(run)

    assert [call.status for call in cloud.admin_calls.all] == [503, None]


def test_what_was_asked_of_discovery_can_be_looked_at(cloud: DbtCloud, client: Client) -> None:
    run = cloud.run()

    client.job(run)

    (query,) = cloud.discovery.queries
    assert query.text == RUN_QUERY
    assert query.variables["runId"] == str(run.id)


def test_both_apis_are_served_as_long_as_the_block_lasts() -> None:
    cloud = DbtCloud()
    run = cloud.run()

    with cloud.running() as served:
        client = Client(served, cloud.account_id)
        assert client.run(run).status_code == 200
        assert client.job(run)["runId"] == run.id

    with pytest.raises(requests.ConnectionError):
        client.run(run)
