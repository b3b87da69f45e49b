"""The guides' variables: without a file, the environment that dbt's guides ask for is enough.

Source: https://docs.getdbt.com/guides/serverless-pagerduty and the guide on refreshing Mode
"""

from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from pydantic import BaseModel, SecretStr, ValidationError

from shared import secret_refs
from shared.errors import Mistake
from shared.secret_refs import SecretRef
from shared.settings import text
from subscriber.configuration import Configuration, DbtCloudSettings, in_words
from subscriber.destination import Destination
from subscriber.destinations import kind
from subscriber.rules import Rule

DBT_CLOUD = {
    "token": "DBT_CLOUD_SERVICE_TOKEN",
    "host": "DBT_CLOUD_HOST",
    "accounts": "DBT_CLOUD_ACCOUNT_ID",
    "base_url": "DBT_CLOUD_BASE_URL",
    "metadata_url": "DBT_CLOUD_METADATA_URL",
}
PAGERDUTY = {"routing_key": "PD_ROUTING_KEY"}
MODE = {
    "token": "MODE_API_TOKEN",
    "secret": "MODE_API_SECRET",
    "workspace": "MODE_WORKSPACE",
    "report": "MODE_REPORT_TOKEN",
}

# runs that test a change: they page nobody and refresh nothing
NOT_PRODUCTION = ["!ci", "!merge"]

M = TypeVar("M", bound=BaseModel)


def configuration(environ: Mapping[str, str]) -> Configuration:
    """Failed runs page, successful ones refresh the report; runs of CI and merge jobs do neither.

    Raises Mistake when a group of variables is incomplete, or when there is nothing to do.
    """
    destinations: dict[str, Destination] = {}
    rules: list[Rule] = []
    if _is_complete(environ, PAGERDUTY.values(), "PD_BASE_URL"):
        variables = {**PAGERDUTY, "base_url": "PD_BASE_URL"}
        destinations["pagerduty"] = _read(kind("pagerduty"), environ, variables)
        rules.append(_rule("failed runs page", "failed", "pagerduty"))
    if _is_complete(environ, MODE.values(), "MODE_BASE_URL"):
        variables = {**MODE, "base_url": "MODE_BASE_URL"}
        destinations["mode"] = _read(kind("mode"), environ, variables)
        rules.append(_rule("successful runs refresh the report", "succeeded", "mode"))
    if not rules:
        raise Mistake(
            "nothing to do: write afterrun.yaml (see afterrun.example.yaml), or set "
            f"PD_ROUTING_KEY, or {', '.join(MODE.values())}"
        )
    return Configuration(dbt_cloud(environ), destinations, tuple(rules))


def dbt_cloud(environ: Mapping[str, str]) -> DbtCloudSettings:
    """Where dbt Cloud is and what opens it; raises Mistake."""
    if not text(environ, DBT_CLOUD["token"]):
        raise Mistake(f"{DBT_CLOUD['token']}: missing; a service token that may read runs")
    return _read(DbtCloudSettings, environ, DBT_CLOUD)


def set_beside(environ: Mapping[str, str], references: Iterable[SecretRef]) -> list[str]:
    """Variables of the guides that are set though a file rules and does not refer to them."""
    used = {ref.name for ref in references if ref.scheme == "env"}
    pagerduty, mode = (*PAGERDUTY.values(), "PD_BASE_URL"), (*MODE.values(), "MODE_BASE_URL")
    known = (*pagerduty, *mode, *DBT_CLOUD.values())
    return [name for name in known if text(environ, name) and name not in used]


def _is_complete(environ: Mapping[str, str], needed: Collection[str], optional: str) -> bool:
    """Whether all of `needed` is set; raises Mistake if only part of the group is."""
    given = [name for name in (*needed, optional) if text(environ, name)]
    missing = [name for name in needed if name not in given]
    if given and missing:
        raise Mistake(f"{', '.join(missing)}: missing, and needed with {', '.join(given)}")
    return bool(given)


def _read(model: type[M], environ: Mapping[str, str], variables: Mapping[str, str]) -> M:
    """A `model` whose fields come from `variables`; those that are not set keep their default."""
    fields = {
        field: _value(model, field, environ, name)
        for field, name in variables.items()
        if text(environ, name)
    }
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = variables[str(found["loc"][0])]
        raise Mistake(f"{name}: {in_words(found['type'], found['msg'])}") from None


def _value(model: type[BaseModel], field: str, environ: Mapping[str, str], name: str) -> object:
    value = text(environ, name)
    if field == "accounts":
        return value.replace(",", " ").split()
    if model.model_fields[field].annotation is SecretStr and not secret_refs.is_reference(value):
        # a variable may hold the secret itself: then it is where the secret is kept
        return f"env:{name}"
    return value


def _rule(name: str, outcome: str, destination: str) -> Rule:
    return Rule.model_validate(
        {
            "name": name,
            "when": {"outcome": outcome, "trigger": NOT_PRODUCTION},
            "then": [destination],
        }
    )
