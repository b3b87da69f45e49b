"""What is open when a deployment changes: it is closed where it was opened, or said to be left."""

from collections.abc import Iterator, Mapping

import pytest

from lab.dbt_cloud import samples
from lab.dbt_cloud.variations import failing
from lab.pubsub.server import PubSub
from lab.stand_ins import ROUTING_KEY
from tests.end_to_end.pager import resolves, triggers
from tests.end_to_end.stage import Stage, set_up

GOOD = samples.load("success")
BAD = failing(GOOD, "orders")

pytestmark = pytest.mark.xdist_group("changes")  # they share a stage, and so a worker

NEW_KEY = "e" * 32
OF_TODAY = "routing_key: secret:pd-routing-key"

CONFIGURATION = """
version: 1
dbt_cloud:
  {token: secret:dbt-cloud-service-token, accounts: [ACCOUNT],
   base_url: DBT_CLOUD_URL, metadata_url: METADATA_URL}
destinations:
  NAME: {kind: pagerduty, base_url: PAGERDUTY_URL, KEYS}
rules:
  - {name: failures page, when: {outcome: failed}, then: [NAME]}
"""


def paging(keys: str = OF_TODAY, name: str = "oncall") -> str:
    """A configuration in which failures page the destination `name` with these keys."""
    return CONFIGURATION.replace("KEYS", keys).replace("NAME", name)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    with PubSub().running() as pubsub, set_up(pubsub.host, folder) as stage:
        stage.stands.pagerduty.routing_keys.add(NEW_KEY)
        stage.subscriber(paging())
        yield stage


@pytest.fixture
def stage(running: Stage) -> Stage:
    return running.cleared()


def test_a_routing_key_rotated_in_secret_manager_closes_what_the_former_one_opened(stage: Stage):
    stage.stands.secrets.put("pd-rotated", ROUTING_KEY)
    configuration = paging("routing_key: secret:pd-rotated")
    stage.deployed_anew(configuration)
    job = stage.job("Production")

    first = stage.ends(job, BAD)
    stage.stands.secrets.put("pd-rotated", NEW_KEY)
    stage.deployed_anew(configuration)
    stage.ends(job, failing(GOOD, "stg_teas"))
    stage.ends(job, GOOD)
    again = stage.ends(job, BAD)

    key = stage.key(first)
    assert stage.heard == [
        triggers(key, "orders", to=ROUTING_KEY),
        triggers(key, "stg_teas", new=("stg_teas",), fixed=("orders",), to=ROUTING_KEY),
        resolves(key, to=ROUTING_KEY),
        triggers(stage.key(again), "orders", to=NEW_KEY),
    ]


def test_a_routing_key_in_a_variable_is_found_among_the_former_ones(stage: Stage):
    stage.deployed_anew(paging("routing_key: env:PD_KEY"), {"PD_KEY": ROUTING_KEY})
    job = stage.job("Production")

    first = stage.ends(job, BAD)
    stage.deployed_anew(
        paging("routing_key: env:PD_KEY, former_routing_keys: [env:OLDER, env:FORMER]"),
        {"PD_KEY": NEW_KEY, "OLDER": "b" * 32, "FORMER": ROUTING_KEY},
    )
    stage.ends(job, GOOD)
    again = stage.ends(job, BAD)

    assert stage.heard == [
        triggers(stage.key(first), "orders", to=ROUTING_KEY),
        resolves(stage.key(first), to=ROUTING_KEY),
        triggers(stage.key(again), "orders", to=NEW_KEY),
    ]


def test_a_routing_key_that_is_nowhere_any_more_leaves_a_dead_letter_that_names_the_alert(
    stage: Stage,
):
    stage.deployed_anew(paging("routing_key: env:PD_KEY"), {"PD_KEY": ROUTING_KEY})
    job = stage.job("Production")

    first = stage.ends(job, BAD)
    stage.deployed_anew(paging("routing_key: env:PD_KEY"), {"PD_KEY": NEW_KEY})
    stage.ends(job, GOOD)

    assert stage.heard == [triggers(stage.key(first), "orders", to=ROUTING_KEY)]
    (letter,) = dead_letters(stage)
    assert letter["episode"] == stage.key(first)
    assert letter["verb"] == "close"
    assert "former_routing_keys" in letter["reason"]


@pytest.mark.parametrize("keys", [OF_TODAY, "routing_key: secret:pd-other"])
def test_a_destination_of_another_name_closes_what_the_former_one_opened(stage: Stage, keys: str):
    stage.stands.secrets.put("pd-other", NEW_KEY)
    stage.deployed_anew(paging(name="oncall"))
    job = stage.job("Production")

    first = stage.ends(job, BAD)
    stage.deployed_anew(paging(keys, name="pager"))
    stage.ends(job, GOOD)

    key = stage.key(first)
    assert stage.heard == [triggers(key, "orders"), resolves(key, to=ROUTING_KEY)]


def test_a_job_that_no_rule_concerns_any_more_is_closed_by_its_next_good_run(stage: Stage):
    stage.deployed_anew(paging())
    job = stage.job("Production")

    first = stage.ends(job, BAD)
    stage.deployed_anew(paging().replace("outcome: failed", "outcome: failed, environment: Other"))
    stage.ends(job, failing(GOOD, "stg_teas"))
    stage.ends(job, GOOD)

    assert stage.heard == [triggers(stage.key(first), "orders"), resolves(stage.key(first))]


def dead_letters(stage: Stage) -> list[Mapping[str, str]]:
    """The attributes of what has become a dead letter; waits for the first."""
    answer = stage.queue.subscriber.pull(
        subscription=stage.queue.subscription("dbt-cloud-events-dead-letters"),
        max_messages=10,
        timeout=30,
    )
    return [dict(received.message.attributes) for received in answer.received_messages]
