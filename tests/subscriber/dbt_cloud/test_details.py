"""Details: whose a node is, and what a test takes from the node that it tests."""

import pytest

from subscriber.dbt_cloud.details import (
    Details,
    Owner,
    completed,
    described,
    from_environment,
    from_job,
    owner_in,
)
from subscriber.run import Result
from tests.builders import a_result

ORDERS, CUSTOMERS = "model.shop.orders", "model.shop.customers"
LENA, FINANCE = Owner("Lena", "lena@shop.example"), Owner("Finance", "finance@shop.example")
UNIQUE = "test.shop.unique_orders_id.5c9bf9911d"
RELATIONSHIPS = "test.shop.relationships_orders_customer_id__id__ref_customers_.430bf21500"
SINGULAR = "test.shop.orders_have_customers"


def describe(
    unique_id: str, known: dict[str, Details], groups: dict[str, Owner] | None = None
) -> Result:
    (result,) = described([a_result(unique_id)], known, groups or {})
    return result


def test_a_groups_owner_comes_before_that_of_the_node():
    known = {ORDERS: Details(group="finance", owner=LENA)}

    found = describe(ORDERS, known, {"finance": FINANCE})

    assert (found.group, found.owner, found.owner_email) == ("finance", *pair(FINANCE))


def test_without_an_owner_of_its_group_a_node_is_whose_its_meta_says():
    known = {ORDERS: Details(group="finance", owner=LENA)}

    assert describe(ORDERS, known, {"crm": FINANCE}).owner == "Lena"
    assert describe(ORDERS, known, {"finance": Owner()}).owner == "Lena"


def test_a_node_may_be_nobodys():
    found = describe(ORDERS, {ORDERS: Details()})

    assert (found.owner, found.owner_email) == ("", "")
    assert found.is_described


def test_a_node_that_is_not_known_stays_as_it_is():
    assert describe(ORDERS, {}) == a_result(ORDERS)


@pytest.mark.parametrize(
    ("owner", "found"),
    [
        ("Lena", Owner("Lena")),
        (" lena@shop.example ", Owner("lena@shop.example", "lena@shop.example")),
        ({"name": "Lena", "email": "lena@shop.example"}, LENA),
        ({"email": "lena@shop.example"}, Owner("lena@shop.example", "lena@shop.example")),
        ({"name": "Lena"}, Owner("Lena")),
        (["Lena", "Max"], Owner("Lena")),
        ([{"name": "Lena", "email": "lena@shop.example"}], LENA),
        ([], Owner()),
        ({}, Owner()),
        (17, Owner()),
        (None, Owner()),
        ([["Lena"]], Owner()),
    ],
)
def test_meta_names_an_owner_in_many_ways(owner, found):
    assert owner_in({"owner": owner}) == found


@pytest.mark.parametrize("meta", [None, "text", [], {}])
def test_meta_that_names_nobody_is_no_owner(meta):
    assert owner_in(meta) == Owner()


def test_a_test_is_whose_the_tested_node_is():
    known = {
        UNIQUE: Details(tags=("nightly",), depends_on=(ORDERS,), path="models/shop.yml"),
        ORDERS: Details(tags=("nightly", "finance"), group="finance", path="models/orders.sql"),
    }

    found = describe(UNIQUE, known, {"finance": FINANCE})

    assert found.tags == ("nightly", "finance")
    assert (found.group, found.owner, found.owner_email) == ("finance", *pair(FINANCE))
    assert found.path == "models/shop.yml"


def test_a_tests_own_owner_comes_before_that_of_the_tested_node():
    known = {
        UNIQUE: Details(owner=LENA, depends_on=(ORDERS,)),
        ORDERS: Details(group="finance"),
    }

    assert describe(UNIQUE, known, {"finance": FINANCE}).owner == "Lena"


def test_a_unit_test_is_whose_its_model_is():
    unit = "unit_test.shop.orders.sums_are_right"
    known = {unit: Details(depends_on=(ORDERS,)), ORDERS: Details(owner=LENA)}

    assert describe(unit, known).owner == "Lena"


def test_of_two_nodes_a_test_is_of_the_one_it_is_attached_to():
    known = {
        SINGULAR: Details(depends_on=(CUSTOMERS, ORDERS), tested=ORDERS),
        ORDERS: Details(group="finance"),
        CUSTOMERS: Details(group="crm"),
    }

    assert describe(SINGULAR, known).group == "finance"


def test_of_two_nodes_a_generic_test_is_of_the_one_its_name_begins_with():
    known = {
        RELATIONSHIPS: Details(depends_on=(CUSTOMERS, ORDERS)),
        ORDERS: Details(group="finance"),
        CUSTOMERS: Details(group="crm"),
    }

    assert describe(RELATIONSHIPS, known).group == "finance"


def test_of_two_nodes_a_test_of_ones_own_is_of_the_first_that_has_an_owner():
    known = {
        SINGULAR: Details(depends_on=("model.shop.nobodys", CUSTOMERS, ORDERS)),
        "model.shop.nobodys": Details(tags=("nightly",)),
        CUSTOMERS: Details(group="crm", owner=LENA),
        ORDERS: Details(group="finance"),
    }

    found = describe(SINGULAR, known, {"finance": FINANCE})

    assert (found.group, found.owner) == ("crm", "Lena")


def test_a_test_of_a_node_that_is_not_known_keeps_its_own():
    known = {UNIQUE: Details(tags=("slow",), depends_on=(ORDERS,))}

    found = describe(UNIQUE, known)

    assert (found.tags, found.owner, found.depends_on) == (("slow",), "", (ORDERS,))


def test_what_the_run_says_of_a_node_is_completed_by_the_projects_latest_state():
    of_run = from_job({"tags": ["old"], "dbtGroup": "finance", "dependsOn": [CUSTOMERS]})
    of_project = from_environment(
        {"tags": ["new"], "filePath": "models/orders.sql", "parents": [{"uniqueId": ORDERS}]}
    )

    found = completed(of_run, of_project)

    assert (found.tags, found.group, found.depends_on) == (("old",), "finance", (CUSTOMERS,))
    assert found.path == "models/orders.sql"


@pytest.mark.parametrize("row", [{}, {"tags": 1, "meta": [], "dependsOn": "x", "parents": [None]}])
def test_a_row_that_is_not_what_it_should_be_says_nothing(row):
    assert from_job(row) == from_environment(row) == Details()


def pair(owner: Owner) -> tuple[str, str]:
    return owner.name, owner.email


def test_a_test_is_known_in_full_only_with_what_it_tests():
    own = Details(tags=("nightly",), depends_on=(ORDERS,))

    without = describe(UNIQUE, {UNIQUE: own})
    tested = describe(UNIQUE, {UNIQUE: own, ORDERS: Details(tags=("finance",))})

    assert (without.is_described, tested.is_described) == (False, True)
    assert describe(SINGULAR, {SINGULAR: Details()}).is_described, "it tests no node at all"
