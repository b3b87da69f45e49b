"""What we ask of Power BI against the published description (Swagger 2.0)."""

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from openapi_schema_validator import OAS30Validator

from lab import power_bi_request
from lab.power_bi_refresh import Dataset
from subscriber.actions import Verb
from subscriber.destinations.power_bi import PowerBi
from subscriber.outbound import Outbound, Reply, encode
from tests.builders import an_action
from tests.contract import published
from tests.subscriber.test_destinations.golden import CASES, a_case

DATASET = Dataset(
    "f089354e-8366-4e18-aea3-4cb4a3a50b48", "cfafbeb1-8037-4d0c-896e-a46fb27ff229", "premium"
)
EVERYTHING: dict[str, Any] = {
    "refresh": "enhanced",
    "commit_mode": "PartialBatch",
    "max_parallelism": 2,
    "retry_count": 0,
    "objects": [{"table": "Customer", "partition": "Robert"}, {"table": "Date"}],
    "apply_refresh_policy": False,
}
WISHES: list[dict[str, Any]] = [
    {},
    {"refresh": "enhanced"},
    EVERYTHING,
    *({"refresh": "enhanced", "type": each} for each in power_bi_request.TYPES),
]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: Any = None
    params: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Recording(Outbound):
    """Sends nothing, and keeps what was to be asked of the API."""

    asked: list[Request] = field(default_factory=list)

    def post_form(self, url: str, fields: Any, **_: Any) -> Reply:
        return Reply(200, {"access_token": "eyJ0", "expires_in": 3599})

    def post_json(self, url: str, body: Any, **_: Any) -> Reply:
        self.asked.append(Request("post", urlsplit(url).path, json.loads(encode(body))))
        location = f"{url}/87f31ef7-1e3a-4006-9b0b-191693e79e9e"
        return Reply(202, headers={"Location": location})

    def get_json(self, url: str, *, params: Any = None, **_: Any) -> Reply:
        self.asked.append(Request("get", urlsplit(url).path, params=params or {}))
        return Reply(202)


@pytest.fixture(scope="module")
def swagger() -> Any:
    return published.description("powerbi/swagger.refresh-only.derived.json")


def a_power_bi(**wishes: Any) -> PowerBi:
    written = {
        "tenant": "a-tenant",
        "client_id": "an-app",
        "client_secret": "env:SECRET",
        "workspace": DATASET.workspace,
        "dataset": DATASET.id,
    }
    return PowerBi.model_validate(written | wishes)


def check(swagger: Any, request: Request) -> None:
    """Raise unless the description has such a request, with no key that it does not name."""
    (found,) = (
        template
        for template in swagger["paths"]
        if re.fullmatch(re.sub(r"{\w+}", "[0-9a-f-]{36}", template), request.path)
    )
    known = {each["name"]: each for each in swagger["paths"][found][request.method]["parameters"]}
    for name, value in request.params.items():
        assert (known[name]["in"], known[name]["type"]) == ("query", "integer")
        assert int(value) >= known[name]["minimum"]
    if request.body is not None:
        definitions = {
            name: {**each, "additionalProperties": False}
            for name, each in swagger["definitions"].items()
        }
        schema = known["datasetRefreshRequest"]["schema"] | {"definitions": definitions}
        OAS30Validator(schema).validate(request.body)


@pytest.mark.parametrize("wishes", WISHES, ids=str)
def test_each_request_is_a_published_one(swagger: Any, wishes: dict[str, Any]) -> None:
    power_bi, outbound = a_power_bi(**wishes), Recording()

    power_bi.progress(power_bi.deliver(an_action(Verb.REFRESH), outbound), outbound)

    started, looked = outbound.asked
    check(swagger, started)
    check(swagger, looked)
    assert (started.method, looked.method) == ("post", "get")
    assert (looked.path == started.path) is (wishes == {})


@pytest.mark.parametrize("case", CASES)
def test_each_case_is_asked_for_as_published(swagger: Any, case: str) -> None:
    outbound = Recording()

    a_power_bi().deliver(a_case("power_bi", case), outbound)

    check(swagger, outbound.asked[0])


@pytest.mark.parametrize("wishes", WISHES, ids=str)
def test_each_request_is_taken_by_the_lab(wishes: dict[str, Any]) -> None:
    sent = encode(a_power_bi(**wishes).body())

    power_bi_request.check(power_bi_request.read("application/json", sent), DATASET)


def test_our_words_are_the_published_ones(swagger: Any) -> None:
    properties = swagger["definitions"]["DatasetRefreshRequest"]["properties"]
    fields = PowerBi.model_json_schema()["properties"]

    for name, theirs in {"type": "type", "commit_mode": "commitMode"}.items():
        assert fields[name]["anyOf"][0]["enum"] == properties[theirs]["enum"]
