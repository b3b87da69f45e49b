"""Google's APIs that tell of a deployment: IAM, Cloud Run, Cloud Scheduler, Firestore, policies.

It only tells: every other method is refused. The service's name begins each path, since all of
them are served at one address. What it tells is as Google's reference has it; nothing of it was
compared with Google itself.

Sources: https://cloud.google.com/run/docs/reference/rest, https://cloud.google.com/iam/docs/reference/rest,
https://cloud.google.com/scheduler/docs/reference/rest and
https://cloud.google.com/firestore/docs/reference/rest
"""

from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from lab.faults import Faults, WithFaults

SERVICES = ("iam", "run", "cloudscheduler", "firestore", "pubsub", "secretmanager")
POLICIES = {"run": "v2", "pubsub": "v1", "secretmanager": "v1"}
"""The services whose resources have a policy, and the version of the API that tells of it."""

_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    501: "UNIMPLEMENTED",
}


class GoogleApis:
    """`app` is to be served; `faults` happen to its requests, which are then not looked at.

    `resources` are what it tells, by service and path (`run/v2/projects/P/...`), `policies` the
    members of each role by service and resource, without a version (`pubsub/projects/P/topics/T`).
    `hidden` are services that whoever asks may not use, `disabled` those that are switched off.
    """

    def __init__(self) -> None:
        self.resources: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, dict[str, list[str]]] = {}
        self.permissions: dict[str, set[str]] = {}
        self.hidden: set[str] = set()
        self.disabled: set[str] = set()
        self.asked: list[str] = []
        self.faults = Faults()
        app = Starlette(
            routes=[Route("/{service}/{path:path}", self._answer, methods=["GET", "POST"])]
        )
        self.app: ASGIApp = WithFaults(app, self.faults)

    async def _answer(self, request: Request) -> Response:
        service, path = request.path_params["service"], request.path_params["path"]
        self.asked.append(f"{request.method} {service}/{path}")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if service not in SERVICES:
            return _refusal(404, "There is no such API")
        if scheme.lower() != "bearer" or not token.strip():
            return _refusal(401, "Request had invalid authentication credentials.")
        if service in self.disabled:
            return _refusal(
                403, f"{service} API has not been used in project 1 before or it is disabled."
            )
        if service in self.hidden:
            return _refusal(403, "The caller does not have permission")
        resource, _, verb = path.partition(":")
        if verb == "testIamPermissions" and request.method == "POST":
            return self._test(service, resource, await request.json())
        if verb == "getIamPolicy" and request.method == "GET":
            return self._policy(service, resource)
        if verb or request.method != "GET":
            return _refusal(501, "This is not told here")
        found = self.resources.get(f"{service}/{path}")
        return JSONResponse(found) if found is not None else _refusal(404, f"{path} was not found")

    def _test(self, service: str, resource: str, asked: Any) -> Response:
        name = self._named(service, resource)
        wanted = asked.get("permissions") if isinstance(asked, dict) else None
        if name is None or not isinstance(wanted, list) or not wanted:
            return _refusal(400, "The permissions are none")
        granted = [each for each in wanted if each in self.permissions.get(name, ())]
        # an empty list is left out, as Google leaves out what is empty
        return JSONResponse({"permissions": granted} if granted else {})

    def _policy(self, service: str, resource: str) -> Response:
        name = self._named(service, resource)
        if name is None:
            return _refusal(404, f"{resource} was not found")
        bindings = [
            {"role": role, "members": members}
            for role, members in self.policies.get(name, {}).items()
        ]
        return JSONResponse(
            {"version": 1, "etag": "BwX", **({"bindings": bindings} if bindings else {})}
        )

    def _named(self, service: str, resource: str) -> str | None:
        """The resource without the version of the API; None where it has no policy."""
        version, _, rest = resource.partition("/")
        return f"{service}/{rest}" if POLICIES.get(service) == version else None


def deployed(apis: GoogleApis, project: str, region: str, audience: str) -> None:
    """Fill `apis` with what it tells of a deployment that README.md made."""
    number = "123456789"

    def account(name: str) -> str:
        return f"afterrun-{name}@{project}.iam.gserviceaccount.com"

    def member(name: str) -> str:
        return f"serviceAccount:{account(name)}"

    agent = f"serviceAccount:service-{number}@gcp-sa-pubsub.iam.gserviceaccount.com"
    at = f"projects/{project}/locations/{region}"
    for name in ("receiver", "subscriber", "push"):
        apis.resources[f"iam/v1/projects/-/serviceAccounts/{account(name)}"] = {
            "name": f"projects/{project}/serviceAccounts/{account(name)}",
            "projectId": project,
            "email": account(name),
        }
    for name, ingress in (
        ("receiver", "INGRESS_TRAFFIC_ALL"),
        ("subscriber", "INGRESS_TRAFFIC_INTERNAL_ONLY"),
    ):
        apis.resources[f"run/v2/{at}/services/afterrun-{name}"] = service(
            at, name, number, region, account(name), ingress, _environment(name, project, audience)
        )
    apis.policies[f"run/{at}/services/afterrun-receiver"] = {"roles/run.invoker": ["allUsers"]}
    apis.policies[f"run/{at}/services/afterrun-subscriber"] = {
        "roles/run.invoker": [member("push")]
    }
    apis.resources[f"cloudscheduler/v1/{at}/jobs/dbt-cloud-tick"] = {
        "name": f"{at}/jobs/dbt-cloud-tick",
        "pubsubTarget": {
            "topicName": f"projects/{project}/topics/dbt-cloud-ticks",
            "data": "dGljaw==",
            "attributes": {"content": "tick"},
        },
        "schedule": "* * * * *",
        "timeZone": "Etc/UTC",
        "state": "ENABLED",
    }
    topics, subscriptions = (
        f"pubsub/projects/{project}/topics",
        f"pubsub/projects/{project}/subscriptions",
    )
    apis.policies |= {
        f"{topics}/dbt-cloud-events": {"roles/pubsub.publisher": [member("receiver")]},
        f"{topics}/dbt-cloud-events-dead-letters": {
            "roles/pubsub.publisher": [member("subscriber"), agent]
        },
        f"{subscriptions}/dbt-cloud-events": {"roles/pubsub.subscriber": [agent]},
    }
    apis.permissions[f"{subscriptions}/dbt-cloud-events-dead-letters"] = {
        "pubsub.subscriptions.consume"
    }


def service(
    at: str,
    name: str,
    number: str,
    region: str,
    account: str,
    ingress: str,
    environment: Mapping[str, str],
) -> dict[str, Any]:
    """A Cloud Run service that is ready."""
    return {
        "name": f"{at}/services/afterrun-{name}",
        "uri": f"https://afterrun-{name}-{number}.{region}.run.app",
        "ingress": ingress,
        "template": {
            "serviceAccount": account,
            "timeout": "300s",
            "containers": [
                {
                    "image": f"{region}-docker.pkg.dev/p/afterrun/afterrun:1",
                    "env": [{"name": key, "value": value} for key, value in environment.items()],
                }
            ],
        },
        "terminalCondition": {"type": "Ready", "state": "CONDITION_SUCCEEDED"},
    }


def _environment(name: str, project: str, audience: str) -> dict[str, str]:
    if name == "receiver":
        return {"GOOGLE_CLOUD_PROJECT": project}
    return {
        "GOOGLE_CLOUD_PROJECT": project,
        "LEDGER": f"firestore:{project}/afterrun",
        "PUSH_AUTH": "platform",
        "PUSH_AUDIENCE": audience,
    }


def _refusal(code: int, message: str) -> Response:
    said = {"code": code, "message": message, "status": _WORDS[code]}
    return JSONResponse({"error": said}, code)
