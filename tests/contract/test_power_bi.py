"""The lab's Power BI against the published description (Swagger 2.0)."""

import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import requests
from openapi_schema_validator import OAS30Validator

from lab import power_bi_request
from lab.entra import SCOPE
from lab.power_bi import PowerBi
from lab.power_bi_refresh import ON_THE_WAY, Dataset, Ending, How
from lab.serve import serve
from tests.contract import published

REFRESHES = "/v1.0/myorg/groups/{groupId}/datasets/{datasetId}/refreshes"
DATASET = Dataset(
    "f089354e-8366-4e18-aea3-4cb4a3a50b48", "cfafbeb1-8037-4d0c-896e-a46fb27ff229", "premium"
)
ENDINGS: tuple[Ending, ...] = get_args(Ending)


class Service:
    """A Power BI that serves, and the published description of it."""

    def __init__(self, url: str, power_bi: PowerBi, swagger: Any) -> None:
        self.power_bi = power_bi
        self.swagger = swagger
        self.refreshes = url + REFRESHES.format(groupId=DATASET.workspace, datasetId=DATASET.id)
        form = {
            "grant_type": "client_credentials",
            "client_id": "an-app",
            "client_secret": "s3cret",
            "scope": SCOPE,
        }
        signed_in = requests.post(f"{url}/a-tenant/oauth2/v2.0/token", data=form, timeout=5)
        self.headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}

    def start(self, body: Any = None) -> requests.Response:
        return requests.post(self.refreshes, json=body, headers=self.headers, timeout=5)

    def get(self, url: str) -> requests.Response:
        return requests.get(url, headers=self.headers, timeout=5)

    def check(self, path: str, method: str, answer: requests.Response) -> None:
        """Raise unless `answer` is one that the description has for `method` on `path`."""
        response = self.swagger["paths"][path][method]["responses"][str(answer.status_code)]
        if "schema" not in response:
            assert answer.content == b""
            return
        definitions = {"definitions": closed(self.swagger["definitions"])}
        OAS30Validator(response["schema"] | definitions).validate(answer.json())


def closed(definitions: Any) -> Any:
    """`definitions` in which an object has no other properties than those named."""
    extra = {"DatasetRefreshObjects": {"status": {"type": "string"}}}  # in the examples only
    return {
        name: each
        | {
            "properties": each["properties"] | extra.get(name, {}),
            "additionalProperties": False,
        }
        if "properties" in each
        else each
        for name, each in definitions.items()
    }


@pytest.fixture
def service() -> Iterator[Service]:
    swagger = published.description("powerbi/swagger.refresh-only.derived.json")
    power_bi = PowerBi(
        tenant="a-tenant", client_id="an-app", client_secret="s3cret", datasets=[DATASET]
    )
    with serve(power_bi.app) as url:
        yield Service(url, power_bi, swagger)


def examples(service: Service) -> list[Any]:
    named = service.swagger["paths"][REFRESHES]["post"]["x-ms-examples"].values()
    return [example["parameters"]["datasetRefreshRequest"] for example in named]


def test_the_published_example_of_an_enhanced_refresh_is_taken(service: Service) -> None:
    (partition,) = (each for each in examples(service) if "notifyOption" not in each)

    answer = service.start(partition)

    assert answer.status_code == 202
    service.check(REFRESHES, "post", answer)
    headers = service.swagger["paths"][REFRESHES]["post"]["responses"]["202"]["headers"]
    assert all(answer.headers[name] for name in headers)


def test_the_published_example_that_its_own_text_forbids_is_refused(service: Service) -> None:
    (mixed,) = (each for each in examples(service) if "notifyOption" in each)

    assert service.start(mixed).status_code == 400


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_history_is_answered_as_published(service: Service, ending: Ending) -> None:
    service.power_bi.ending = ending
    service.start()

    for _ in range(4):
        answer = service.get(service.refreshes)
        assert answer.status_code == 200
        service.check(REFRESHES, "get", answer)


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_enhanced_refresh_is_told_as_published(service: Service, ending: Ending) -> None:
    service.power_bi.ending = ending
    location = service.start({"objects": [{"table": "Customer"}]}).headers["Location"]

    answers = [service.get(location) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [202, 202, 200, 200]
    for answer in answers:
        service.check(REFRESHES + "/{refreshId}", "get", answer)


def test_an_entry_of_the_history_has_the_keys_of_the_published_example(service: Service) -> None:
    named = service.swagger["paths"][REFRESHES]["get"]["x-ms-examples"]
    (example,) = named["Failed refresh example"]["responses"]["200"]["body"]["value"]
    service.power_bi.ending = "Failed"
    service.start()

    (entry,) = [service.get(service.refreshes).json()["value"] for _ in range(3)][-1]

    assert entry.keys() == example.keys()
    assert json.loads(entry["serviceExceptionJson"]) == json.loads(example["serviceExceptionJson"])


def test_the_words_are_the_published_ones(service: Service) -> None:
    definitions = service.swagger["definitions"]
    asked = definitions["DatasetRefreshRequest"]["properties"]
    detail = definitions["DatasetRefreshDetail"]["properties"]

    assert list(power_bi_request.TYPES) == asked["type"]["enum"]
    assert list(power_bi_request.COMMIT_MODES) == asked["commitMode"]["enum"]
    assert list(power_bi_request.NOTIFY_OPTIONS) == asked["notifyOption"]["enum"]
    assert {*ON_THE_WAY, *ENDINGS, "Unknown"} == set(detail["extendedStatus"]["enum"])
    how = definitions["Refresh"]["properties"]["refreshType"]["enum"]
    assert set(get_args(How)) <= set(how)
