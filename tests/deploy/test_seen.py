"""Whether what Google shows is what is wanted."""

import pytest

from deploy import seen


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 2]}}),
        ({}, {"threshold": 0, "labels": {}, "ttl": None, "held": False}),
        ({"threshold": 900.0}, {"threshold": 900}),
        ({"size": "900"}, {"size": 900}),
        ([{"a": 1, "name": "given by Google"}], [{"a": 1}]),
    ],
)
def test_what_says_all_that_is_wanted_agrees(found: object, wanted: object) -> None:
    assert seen.agrees(found, wanted)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ({"a": 2}, {"a": 1}),
        ({}, {"a": 1}),
        ({"ttl": "2678400s"}, {"ttl": None}),
        ({"a": "x"}, {"a": {"b": 1}}),
        ([1, 2], [1]),
        ({"a": 1}, {"a": [1]}),
        (None, {"a": 1}),
    ],
)
def test_what_says_something_else_or_less_does_not(found: object, wanted: object) -> None:
    assert not seen.agrees(found, wanted)


def test_a_binding_under_another_condition_is_another_binding() -> None:
    expression = 'resource.name=="projects/p/databases/afterrun"'
    bare = {"role": "r", "members": ["m"]}
    narrow = {**bare, "condition": {"expression": expression, "title": "t"}}

    assert seen.is_bound("m", "r")({"bindings": [bare]})
    assert not seen.is_bound("m", "r")({"bindings": [narrow]})
    assert seen.is_bound("m", "r", expression)({"bindings": [bare, narrow]}) == narrow
    assert not seen.is_bound("m", "r", expression)({"bindings": [bare]})
    assert not seen.is_bound("another", "r")({"bindings": [bare]})
    assert not seen.is_bound("m", "r")({})


def an_index(*fields: tuple[str, str], group: str = "work") -> dict[str, object]:
    told = [{"fieldPath": path, "order": order} for path, order in fields]
    named = f"projects/p/databases/d/collectionGroups/{group}/indexes/1"
    return {"name": named, "fields": [*told, {"fieldPath": "__name__", "order": "ASCENDING"}]}


def test_an_index_is_one_of_the_same_fields_in_their_order() -> None:
    find = seen.is_index("work", [("kind", "ASCENDING"), ("at", "DESCENDING")])

    assert find([an_index(("kind", "ASCENDING"), ("at", "DESCENDING"))])
    assert not find([an_index(("at", "DESCENDING"), ("kind", "ASCENDING"))])
    assert not find([an_index(("kind", "ASCENDING"), ("at", "ASCENDING"))])
    assert not find([an_index(("kind", "ASCENDING"), ("at", "DESCENDING"), group="other")])
    assert not find([])


def a_field(name: str, *orders: str) -> dict[str, object]:
    indexes = [{"fields": [{"fieldPath": name, "order": each}]} for each in orders]
    named = f"projects/p/databases/d/collectionGroups/work/fields/{name}"
    return {"name": named, "indexConfig": {"indexes": indexes} if indexes else {}}


def test_fields_are_as_wanted_once_each_has_the_indexes_that_it_needs_and_no_other() -> None:
    find = seen.are_overridden("work", {"due_at": {"ASCENDING"}, "body": set()})

    assert find([a_field("due_at", "ASCENDING"), a_field("body")])
    assert not find([a_field("due_at", "ASCENDING")])
    assert not find([a_field("due_at"), a_field("body")])
    assert not find([a_field("due_at", "ASCENDING", "DESCENDING"), a_field("body")])


def test_an_end_of_life_that_is_being_set_counts_and_one_that_went_wrong_does_not() -> None:
    def shown(state: str) -> list[dict[str, object]]:
        named = "projects/p/databases/d/collectionGroups/work/fields/expire_at"
        return [{"name": named, "ttlConfig": {"state": state}}]

    find = seen.expires("work", "expire_at")
    assert find(shown("ACTIVE"))
    assert find(shown("CREATING"))
    assert not find(shown("NEEDS_REPAIR"))


def a_service(version: str, created: str = "r1", ready: str = "r1", **spec: object):
    labels = {"app": "afterrun", "version": version}
    return {
        "metadata": {"name": "afterrun-receiver", "labels": labels},
        "spec": spec,
        "status": {"latestCreatedRevisionName": created, "latestReadyRevisionName": ready},
    }


def test_a_service_serves_a_version_once_its_newest_revision_is_ready() -> None:
    find = seen.is_serving("afterrun-receiver", "v2")

    assert find([a_service("v2")])
    assert not find([a_service("v1")])
    assert not find([a_service("v2", created="r2", ready="r1")])
    assert not seen.is_serving("afterrun-subscriber", "v2")([a_service("v2")])


def test_a_service_that_was_rolled_back_is_noticed() -> None:
    latest = [{"latestRevision": True, "percent": 100}]
    back = [{"revisionName": "r0", "percent": 100}]
    canary = [{"revisionName": "r0", "percent": 90}, {"latestRevision": True, "percent": 10}]

    assert seen.pinned([a_service("v1", traffic=latest)]) == []
    assert seen.pinned([a_service("v1")]) == []
    assert seen.pinned([a_service("v1", traffic=back)]) == ["afterrun-receiver"]
    assert seen.pinned([a_service("v1", traffic=canary)]) == ["afterrun-receiver"]
    assert seen.pinned(None) == []


def test_a_secret_whose_newest_version_is_disabled_has_no_value() -> None:
    assert seen.is_enabled([{"state": "ENABLED"}])
    assert not seen.is_enabled([{"state": "DISABLED"}, {"state": "ENABLED"}])
    assert not seen.is_enabled([])
