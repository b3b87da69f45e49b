from typing import Any

import pytest

from lab.dbt_cloud.cloud import DbtCloud
from lab.dbt_cloud.readiness import Readiness
from tests.lab.dbt_cloud.client import Client, by_id

QUERY = """
query Env($id: BigInt!, $models: ModelAppliedFilter, $tests: TestAppliedFilter,
          $sources: SourceAppliedFilter, $first: Int, $after: String) {
  environment(id: $id) {
    adapterType dbtProjectName
    applied {
      latestGitSha
      models(filter: $models, first: $first, after: $after) {
        totalCount
        pageInfo { hasNextPage endCursor }
        edges { node { uniqueId group executionInfo {
          lastRunId lastRunStatus lastRunError lastSuccessRunId } } }
      }
      tests(filter: $tests) { edges { node { uniqueId testType executionInfo {
        lastRunId lastRunStatus lastRunFailures } } } }
      sources(filter: $sources) { edges { node { uniqueId freshness {
        freshnessStatus freshnessRunId maxLoadedAt } } } }
    }
    definition { groups { edges { node { name ownerName ownerEmail modelCount } } } }
  }
}
"""


def ask(client: Client, environment_id: int, **variables: Any) -> Any:
    answer = client.discover(QUERY, id=environment_id, **variables).json()
    assert "errors" not in answer
    return answer["data"]["environment"]


def nodes(connection: Any) -> dict[str, dict[str, Any]]:
    return by_id([edge["node"] for edge in connection["edges"]])


def test_the_latest_run_that_executed_a_node_says_how_it_is(
    cloud: DbtCloud, client: Client
) -> None:
    good, bad = cloud.run(sample="success"), cloud.run(sample="model_error")
    freshness = cloud.run(sample="source_freshness")

    applied = ask(client, cloud.production.id)["applied"]

    orders = nodes(applied["models"])["orders"]["executionInfo"]
    assert (orders["lastRunId"], orders["lastRunStatus"]) == (bad.id, "error")
    assert orders["lastSuccessRunId"] == good.id
    receipts = nodes(applied["sources"])["receipts"]["freshness"]
    assert (receipts["freshnessStatus"], receipts["freshnessRunId"]) == ("Error", freshness.id)


def test_nodes_can_be_filtered(cloud: DbtCloud, client: Client) -> None:
    cloud.run(sample="failing_test")
    cloud.run(sample="source_freshness")

    applied = ask(
        client,
        cloud.production.id,
        models={"lastRunStatus": "skipped"},
        tests={"status": "fail", "testTypes": ["GENERIC_DATA_TEST"]},
        sources={"freshnessStatus": "Warn"},
    )["applied"]

    assert set(nodes(applied["models"])) == {"customers"}
    assert set(nodes(applied["tests"])) == {"unique_stg_customers_customer_id"}
    assert set(nodes(applied["sources"])) == {"deliveries"}


def test_a_connection_can_be_read_page_by_page(cloud: DbtCloud, client: Client) -> None:
    cloud.run()

    first = ask(client, cloud.production.id, first=7)["applied"]["models"]
    after = first["pageInfo"]["endCursor"]
    second = ask(client, cloud.production.id, first=7, after=after)["applied"]["models"]

    assert (first["totalCount"], len(first["edges"])) == (10, 7)
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    assert len(nodes(first) | nodes(second)) == 10


RESOURCES = """
query Resources($id: BigInt!, $filter: AppliedResourcesFilter!, $first: Int, $after: String) {
  environment(id: $id) { applied { resources(filter: $filter, first: $first, after: $after) {
    totalCount
    pageInfo { hasNextPage endCursor }
    edges { node {
      __typename uniqueId filePath tags
      ... on ModelAppliedStateNode { group parents { __typename uniqueId } }
      ... on TestAppliedStateNode { testedNodeUniqueId }
    } }
  } } }
}
"""


def resources(client: Client, environment_id: int, types: list[str], **more: Any) -> Any:
    wanted = {"types": types} | {name: more.pop(name) for name in ("uniqueIds",) if name in more}
    answer = client.discover(RESOURCES, id=environment_id, filter=wanted, **more).json()
    assert "errors" not in answer
    return answer["data"]["environment"]["applied"]["resources"]


def test_resources_of_several_types_can_be_asked_for_by_their_ids(
    cloud: DbtCloud, client: Client
) -> None:
    cloud.run()
    wanted = [
        "model.teahouse.orders",
        "test.teahouse.unique_orders_order_id.fed79b3a6e",
        "source.teahouse.till.receipts",
        "seed.teahouse.raw_teas",
    ]

    found = resources(client, cloud.production.id, ["Model", "Test", "Source"], uniqueIds=wanted)

    by = nodes(found)
    assert found["totalCount"] == len(by) == 3
    assert by["orders"] == {
        "__typename": "ModelAppliedStateNode",
        "uniqueId": "model.teahouse.orders",
        "filePath": "models/marts/orders.sql",
        "tags": ["nightly", "finance"],
        "group": "finance",
        "parents": [
            {"__typename": "ModelAppliedStateNestedNode", "uniqueId": f"model.teahouse.{name}"}
            for name in ("stg_orders", "stg_receipts")
        ],
    }
    assert by["unique_orders_order_id"]["testedNodeUniqueId"] == "model.teahouse.orders"
    assert by["receipts"]["filePath"] == "models/sources.yml"


def test_resources_have_pages_of_at_most_five_hundred(cloud: DbtCloud, client: Client) -> None:
    cloud.run()

    first = resources(client, cloud.production.id, ["Model", "Seed"], first=8)
    after = first["pageInfo"]["endCursor"]
    second = resources(client, cloud.production.id, ["Model", "Seed"], first=8, after=after)
    refused = client.discover(
        RESOURCES, id=cloud.production.id, filter={"types": ["Model"]}, first=501
    )

    assert (len(first["edges"]), len(second["edges"])) == (8, 5)
    assert len(nodes(first) | nodes(second)) == 13
    assert refused.json()["errors"]


def test_groups_have_their_owners(cloud: DbtCloud, client: Client) -> None:
    cloud.run()

    groups = ask(client, cloud.production.id)["definition"]["groups"]["edges"]

    assert [edge["node"] for edge in groups] == [
        {
            "name": "assortment",
            "ownerName": "Assortment",
            "ownerEmail": "assortment@teahouse.example",
            "modelCount": 2,
        },
        {
            "name": "finance",
            "ownerName": "Finance data",
            "ownerEmail": "finance-data@teahouse.example",
            "modelCount": 4,
        },
    ]


def test_an_environment_knows_nothing_of_another_ones_runs(cloud: DbtCloud, client: Client) -> None:
    staging = cloud.add_environment("Staging")
    cloud.run()

    assert ask(client, staging.id)["applied"] is None


def test_a_run_whose_metadata_is_not_there_yet_changes_nothing(
    cloud: DbtCloud, client: Client
) -> None:
    good = cloud.run()
    cloud.run(sample="model_error", metadata=Readiness(None))

    models = nodes(ask(client, cloud.production.id)["applied"]["models"])

    assert models["orders"]["executionInfo"]["lastRunId"] == good.id


@pytest.mark.parametrize("unknown", [1, 2**40])
def test_an_unknown_environment_is_an_error_without_data(client: Client, unknown: int) -> None:
    answer = client.discover(
        "query($id: BigInt!) { environment(id: $id) { adapterType } }", id=unknown
    )

    assert answer.status_code == 200
    assert answer.json()["data"] is None
    assert answer.json()["errors"]
