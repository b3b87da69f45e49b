"""The lab's Tableau, and what we ask a Tableau, against the published Postman collection.

It has no schemas: methods, paths, names in queries and bodies are all there is to compare.
"""

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
import requests

from lab.serve import serve
from lab.tableau import Tableau
from lab.tableau_content import Content
from subscriber.destinations.tableau import Tableau as Destination
from subscriber.outbound import Outbound
from tests.contract import published
from tests.contract.recorded import Recorded, Sent
from tests.subscriber.test_destinations.golden import CASES, a_case

ID = "11111111-aaaa-4bbb-8ccc-000000000001"
PAT = {"admin-PAT-name": "afterrun", "admin-PAT-secret": "pat-secret", "content-url": "shop"}
CALLS = {
    "Server Info": 200,
    "Sign-in (As an Admin PAT)": 200,
    "Query Workbooks for Site": 200,
    "Query Data Sources": 200,
    "Query Flows for a Site": 200,
    "Query Data Source": 200,
    "Query Flow": 200,
    "Update Workbook Now": 202,
    "Update Data Source Now": 202,
    "Run Flow Now": 202,
    "Query Job": 200,
    "Sign Out": 204,
}


@pytest.fixture(scope="module")
def collection() -> dict[str, Any]:
    """Each published request by its name."""
    path = "tableau/Tableau_REST_API.postman_collection.json"
    return {item["name"]: item["request"] for item in _items(published.description(path)["item"])}


def _items(items: list[Any]) -> Iterator[Any]:
    for item in items:
        if "item" in item:
            yield from _items(item["item"])
        else:
            yield item


class Service:
    """A Tableau that serves, and what the collection's variables stand for in it."""

    def __init__(self, url: str) -> None:
        self.values = PAT | {"base-path": f"{url}/api/3.21"}
        self.token = ""

    def ask(self, request: Any) -> requests.Response:
        """The answer to a request as it is published, in XML."""
        url = request["url"]
        written = url if isinstance(url, str) else url["raw"]
        parts = {} if isinstance(url, str) else url.get("variable", [])
        for part in parts:
            written = written.replace(f":{part['key']}", part["value"])
        return requests.request(
            request["method"],
            self._filled(written),
            data=self._filled(request.get("body", {}).get("raw", "")),
            headers={"X-Tableau-Auth": self.token},
            timeout=5,
        )

    def _filled(self, text: str) -> str:
        return re.sub(r"{{([\w-]+)}}", lambda found: self.values[found[1]], text)


@pytest.fixture
def service() -> Iterator[Service]:
    here = [Content(ID, "Sales")]
    tableau = Tableau(
        site="shop",
        pat_name="afterrun",
        pat_secret="pat-secret",
        workbooks=here,
        datasources=here,
        flows=here,
    )
    with serve(tableau.app) as url:
        service = Service(url)
        subjects = {f"{kind}-id": ID for kind in ("workbook", "datasource", "flow")}
        service.values |= subjects | {"site-id": tableau.site_id}
        yield service


def test_each_published_request_is_answered(collection: dict[str, Any], service: Service) -> None:
    statuses = {}
    for name in CALLS:
        answer = service.ask(collection[name])
        statuses[name] = answer.status_code
        if token := re.search(r'token="([^"]+)"', answer.text):
            service.token = token[1]
        if job := re.search(r'<job[^>]* id="([^"]+)"', answer.text):
            service.values["job-id"] = job[1]

    assert statuses == CALLS


ASKED = {
    "workbook": ("Query Workbooks for Site", "Update Workbook Now"),
    "datasource": ("Query Data Sources", "Update Data Source Now"),
    "flow": ("Query Flows for a Site", "Run Flow Now"),
}


# the collection has no such request for workbooks
LOOKED = {"datasource": "Query Data Source", "flow": "Query Flow"}


@pytest.mark.parametrize("noun", ASKED)
def test_what_we_ask_is_as_published(collection: dict[str, Any], noun: str) -> None:
    here = [Content(ID, "Sales")]
    tableau = Tableau(
        site="shop",
        pat_name="afterrun",
        pat_secret="pat-secret",
        workbooks=here,
        datasources=here,
        flows=here,
    )
    recorded = Recorded(tableau.app)
    with serve(recorded) as url:
        written = {"site": "shop", "token_name": "afterrun", "token": "env:TOKEN", noun: "Sales"}
        made = Destination.model_validate({"base_url": url, **written})
        destination = made.with_secrets(lambda _: "pat-secret")
        for case in CASES:
            handle = destination.deliver(a_case("tableau", case), Outbound())
            tableau.end_jobs()
        destination.progress(handle, Outbound())

    delivered = ["Sign-in (As an Admin PAT)", *ASKED[noun], "Sign Out"]
    looked = ["Sign-in (As an Admin PAT)", "Query Job", "Sign Out"]
    expected = [*delivered * len(CASES), *looked]
    assert len(recorded.sent) == len(expected)
    for sent, name in zip(recorded.sent, expected, strict=True):
        check(sent, collection[name], url)


@pytest.mark.parametrize("wanted", ["Sales", ID])
@pytest.mark.parametrize("noun", ASKED)
def test_what_a_look_asks_is_as_published(
    collection: dict[str, Any], noun: str, wanted: str
) -> None:
    here = [Content(ID, "Sales")]
    tableau = Tableau(
        site="shop",
        pat_name="afterrun",
        pat_secret="pat-secret",
        workbooks=here,
        datasources=here,
        flows=here,
    )
    recorded = Recorded(tableau.app)
    with serve(recorded) as url:
        written = {"site": "shop", "token_name": "afterrun", "token": "env:TOKEN", noun: wanted}
        made = Destination.model_validate({"base_url": url, **written})
        made.with_secrets(lambda _: "pat-secret").examine(Outbound())

    by_id = LOOKED.get(noun) if wanted == ID else ASKED[noun][0]
    expected = ["Sign-in (As an Admin PAT)", by_id, "Sign Out"]
    for sent, name in zip(recorded.sent, expected, strict=True):
        if name is not None:
            check(sent, collection[name], url)


def check(sent: Sent, request: Any, url: str) -> None:
    """Raise unless `sent` is, in JSON, what the collection has as `request`."""
    written = request["url"]
    raw, known = (
        (written, []) if isinstance(written, str) else (written["raw"], written.get("query", []))
    )
    pattern = re.sub(r"{{site-id}}|:[a-z]+-id", "[^/]+", raw.replace("{{base-path}}", "/api/3.21"))
    assert (sent.method, bool(re.fullmatch(pattern, sent.path))) == (request["method"], True)
    assert set(sent.query) <= {parameter["key"] for parameter in known}
    body = request.get("body", {}).get("raw", "")
    if body:
        root = ElementTree.fromstring(body)  # noqa: S314
        assert sent.headers["content-type"] == "application/json"
        assert names(json.loads(sent.body)) == names(as_json(root))
    else:
        assert sent.body == b""
    assert ("x-tableau-auth" in sent.headers) is (request.get("auth", {}).get("type") != "noauth")


def as_json(element: ElementTree.Element) -> dict[str, Any]:
    return dict(element.attrib) | {child.tag: as_json(child) for child in element}


def names(value: Any, path: str = "") -> set[str]:
    if not isinstance(value, dict):
        return {path}
    return {found for name, each in value.items() for found in names(each, f"{path}/{name}")}
