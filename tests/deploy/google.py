"""Google Cloud on loopback, as far as the deployment goes: it keeps what gcloud sends it.

What is created is there, under its path and as it was sent, until it is deleted; a policy is the
one that was set last. A way to lose a step is to have `refuses` name a part of its path.
"""

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

APIS = (
    "artifactregistry",
    "cloudbuild",
    "cloudresourcemanager",
    "cloudscheduler",
    "firestore",
    "iam",
    "logging",
    "monitoring",
    "pubsub",
    "run",
    "secretmanager",
    "serviceusage",
    "storage",
)
NUMBER = "123456789012"
# what the name of a new thing is given as
IDS = ("repositoryId", "databaseId", "secretId")


class Refused(Exception):
    def __init__(self, code: int, status: str, message: str = "") -> None:
        super().__init__(message)
        self.answer = {"error": {"code": code, "status": status, "message": message or status}}
        self.code = code


class Google:
    """`things` are by API and path. `changes` are the requests that changed something."""

    def __init__(self) -> None:
        self.things: dict[str, Any] = {}
        self.policies: dict[str, Any] = {}
        self.changes: list[str] = []
        self.refuses = ""
        self.lock = threading.RLock()
        self.port = 0

    def environ(self) -> dict[str, str]:
        """What turns gcloud to here; it then needs no credentials."""
        here = f"http://127.0.0.1:{self.port}"
        return {
            f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api.upper()}": f"{here}/{api}/" for api in APIS
        } | {
            "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
            "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
        }

    def answer(self, method: str, target: str, body: Any) -> Any:
        """What a request is answered with; raises Refused."""
        url = urlsplit(target)
        asked = {name: values[-1] for name, values in parse_qs(url.query).items()}
        api, _, path = unquote(url.path).strip("/").partition("/")
        path = re.sub(r"^v\d\w*/", "", path)
        if self.refuses and self.refuses in f"{method} {api}/{path}":
            raise Refused(403, "PERMISSION_DENIED", "The caller does not have permission")
        with self.lock:
            special = getattr(self, f"_{api}", None)
            found = special(method, path, asked, body) if special else None
            return found if found is not None else self._any(method, api, path, asked, body)

    def _any(self, method: str, api: str, path: str, asked: dict[str, str], body: Any) -> Any:
        path, _, verb = path.partition(":")
        key = f"{api}/{path}"
        if verb in ("getIamPolicy", "setIamPolicy"):
            return self._policy(verb, key, body)
        if verb:
            return {}
        if method == "GET" and key in self.things:
            return self.things[key]
        if method == "GET" and path.endswith("/operations/1"):
            thing = path.removesuffix("/operations/1")
            return self._operation(api, thing, self.things.get(f"{api}/{thing}", {}))
        if method == "GET":
            return self._listed(api, path)
        if method == "DELETE":
            self._there(key)
            self._forget(key)
            return self._operation(api, path, {})
        if method == "PATCH":
            return self._patched(api, path, key, asked, body)
        if method == "POST":
            name = next((asked[each] for each in IDS if each in asked), "") or self._named(
                api, body
            )
            path = f"{path}/{name}"
            key = f"{api}/{path}"
        if method in ("POST", "PUT"):
            return self._created(api, path, key, body)
        raise Refused(404, "NOT_FOUND", f"{method} {api}/{path}: unknown to the stand-in")

    def _named(self, api: str, body: Any) -> str:
        if api == "logging":
            return str(body["name"])
        if api == "cloudscheduler":
            return str(body["name"]).rpartition("/")[2]
        return f"{len(self.things) + 1:06}"

    def _created(self, api: str, path: str, key: str, body: Any) -> Any:
        if key in self.things and api != "logging":
            raise Refused(409, "ALREADY_EXISTS", f"{path} already exists")
        name = path.rpartition("/")[2] if api == "logging" else path
        self._keep(key, {**body, "name": name})
        if api in ("artifactregistry", "firestore"):
            return self._operation(api, path, self.things[key])
        return self.things[key]

    def _patched(self, api: str, path: str, key: str, asked: dict[str, str], body: Any) -> Any:
        # a subscription comes wrapped, with its mask beside it
        sent = body.get("subscription", body)
        mask = asked.get("updateMask") or body.get("updateMask") or ",".join(sent)
        if api != "firestore" or "/fields/" not in path:
            self._there(key)
        before = self.things.get(key, {"name": path})
        fields = [re.sub(r"_(\w)", lambda each: each[1].upper(), name) for name in mask.split(",")]
        new = {name.partition(".")[0]: sent.get(name.partition(".")[0]) for name in fields}
        if "ttlConfig" in new:
            new["ttlConfig"] = {"state": "CREATING"}
        self._keep(
            key, {**before, **{name: each for name, each in new.items() if each is not None}}
        )
        return self._operation(api, path, {}) if api == "firestore" else self.things[key]

    def _listed(self, api: str, path: str) -> Any:
        pattern = re.compile(re.escape(f"{api}/{path}").replace("/\\-/", "/[^/]+/") + "/[^/]+")
        found = [thing for key, thing in self.things.items() if pattern.fullmatch(key)]
        word = path.rpartition("/")[2]
        known = {
            "services": "services",
            "indexes": "indexes",
            "fields": "fields",
            "versions": "versions",
            "alertPolicies": "alertPolicies",
            "notificationChannels": "notificationChannels",
        }
        if word not in known:
            raise Refused(404, "NOT_FOUND", f"{path} was not found")
        return {known[word]: found}

    def _policy(self, verb: str, key: str, body: Any) -> Any:
        if not key.startswith(("cloudresourcemanager/", "run/")):
            self._there(key.replace("/projects/-/", "/projects/P/"))
        if verb == "setIamPolicy":
            self.changes.append(f"setIamPolicy {key}")
            self.policies[key] = body["policy"]
        return self.policies.get(key, {"etag": "AA=="})

    def _operation(self, api: str, path: str, response: Any) -> Any:
        """What took a while, and is done by the time somebody asks."""
        parent = re.sub(r"(databases/[^/]+|locations/[^/]+).*", r"\1", path)
        name, google = f"{parent}/operations/1", "type.googleapis.com/google"
        if api == "artifactregistry":
            kind = f"{google}.devtools.artifactregistry.v1.Repository"
            return {"name": name, "done": True, "response": {"@type": kind, **response}}
        if api == "firestore" and re.fullmatch("projects/[^/]+/databases/[^/]+", path):
            kind = f"{google}.firestore.admin.v1.Database"
            return {"name": name, "done": True, "response": {"@type": kind, **response}}
        kind = f"{google}.firestore.admin.v1.IndexOperationMetadata"
        return {"name": name, "metadata": {"@type": kind}} if api == "firestore" else {}

    def _there(self, key: str) -> None:
        if key not in self.things:
            raise Refused(404, "NOT_FOUND", f"{key} was not found")

    def _keep(self, key: str, thing: Any) -> None:
        self.changes.append(f"set {key}")
        self.things[key] = thing

    def _forget(self, key: str) -> None:
        self.changes.append(f"delete {key}")
        for each in [each for each in self.things if each == key or each.startswith(f"{key}/")]:
            del self.things[each]
        self.policies.pop(key, None)

    # what is not as with the others, an API each

    def _cloudresourcemanager(self, method: str, path: str, asked: Any, body: Any) -> Any:
        if method == "GET":
            return {"projectId": path.rpartition("/")[2], "projectNumber": NUMBER}
        return None

    def _serviceusage(self, method: str, path: str, asked: Any, body: Any) -> Any:
        done = {"name": "operations/1", "done": True, "response": {}}
        if path.endswith(":batchEnable"):
            for name in body["serviceIds"]:
                key = f"serviceusage/{path.partition(':')[0]}/{name}"
                self._keep(key, {"name": key, "config": {"name": name}, "state": "ENABLED"})
            return done
        if path.endswith(":generateServiceIdentity"):
            kind = "type.googleapis.com/google.api.serviceusage.v1beta1.ServiceIdentity"
            return {**done, "response": {"@type": kind, "email": "a@b", "uniqueId": "1"}}
        return None

    def _iam(self, method: str, path: str, asked: Any, body: Any) -> Any:
        if method == "POST" and path.endswith("/serviceAccounts"):
            project = path.split("/")[1]
            email = f"{body['accountId']}@{project}.iam.gserviceaccount.com"
            name = f"{path}/{email}"
            if f"iam/{name}" in self.things:
                raise Refused(409, "ALREADY_EXISTS", f"{name} already exists")
            self._keep(f"iam/{name}", {"name": name, "email": email})
            return self.things[f"iam/{name}"]
        named = re.fullmatch(r"projects/-/serviceAccounts/([^:]+)(:.*)?", path)
        if named:
            project = named[1].partition("@")[2].partition(".")[0]
            path = f"projects/{project}/serviceAccounts/{named[1]}{named[2] or ''}"
            return self._any(method, "iam", path, asked, body)
        return None

    def _storage(self, method: str, path: str, asked: Any, body: Any) -> Any:
        if path == "b" and method == "POST":
            key = f"storage/b/{body['name']}"
            if key in self.things:
                raise Refused(409, "conflict", "The requested bucket name is not available.")
            self._keep(key, body)
            return body
        if path == "b":
            of_all = [thing for key, thing in self.things.items() if key.startswith("storage/b/")]
            return {"items": [each for each in of_all if "projectNumber" not in each]}
        if path.endswith("/iam"):
            key = f"storage/{path.removesuffix('/iam')}"
            self._there(key)
            if method == "PUT":
                return self._policy("setIamPolicy", key, {"policy": body})
            return self._policy("getIamPolicy", key, body)
        if path.endswith("/storageLayout"):
            return {"locationType": "region"}
        if path.endswith(("/o", "/managedFolders", "/folders")):
            return {"items": []}
        if method == "DELETE":
            self._there(f"storage/{path}")
            self._forget(f"storage/{path}")
            return {}
        return None

    def _secretmanager(self, method: str, path: str, asked: Any, body: Any) -> Any:
        secret, _, rest = path.partition(":")
        if rest == "addVersion":
            key = f"secretmanager/{secret}"
            self._there(key)
            number = sum(each.startswith(f"{key}/versions/") for each in self.things) + 1
            name = f"{secret}/versions/{number}"
            self._keep(f"secretmanager/{name}", {"name": name, "state": "ENABLED", **body})
            return {"name": name, "state": "ENABLED", "clientSpecifiedPayloadChecksum": True}
        if "/versions" in path and method == "GET":
            key = f"secretmanager/{secret.partition('/versions')[0]}"
            self._there(key)
            versions = [
                thing for each, thing in self.things.items() if each.startswith(f"{key}/versions/")
            ]
            if path.endswith("/versions"):
                shown = [{"name": one["name"], "state": one["state"]} for one in versions[::-1]]
                return {"versions": shown}
            if not versions:
                raise Refused(404, "NOT_FOUND", f"{path} not found or has no versions.")
            if rest == "access":
                return {"name": versions[-1]["name"], "payload": versions[-1]["payload"]}
            return {"name": versions[-1]["name"], "state": "ENABLED"}
        return None

    def forget(self) -> None:
        """Be as new."""
        self.things, self.policies, self.changes, self.refuses = {}, {}, [], ""

    def bound(self) -> set[tuple[str, str, str]]:
        """Every binding there is: of what, to whom, as what."""
        return {
            (key, member, binding["role"])
            for key, policy in self.policies.items()
            for binding in policy.get("bindings", ())
            for member in binding["members"]
        }

    def secret(self, project: str, name: str) -> str:
        """The newest value of a secret."""
        kept = self.answer(
            "GET",
            f"/secretmanager/v1/projects/{project}/secrets/{name}/versions/latest:access",
            None,
        )
        return base64.urlsafe_b64decode(kept["payload"]["data"]).decode()

    def _run(self, method: str, path: str, asked: Any, body: Any) -> Any:
        found = re.search(
            r"(?:namespaces|projects)/([^/]+)(?:/locations/[^/]+)?/services/?([^/:]*)", path
        )
        if found is None or ":" in path:
            return None
        project, name = found[1], found[2]
        prefix = f"run/namespaces/{project}/services/"
        if method in ("POST", "PUT"):
            name = name or body["metadata"]["name"]
            self._keep(
                prefix + name, _deployed(body, project, name, self.things.get(prefix + name))
            )
        if method == "GET" and not name:
            kind = {"apiVersion": "serving.knative.dev/v1", "kind": "ServiceList", "metadata": {}}
            return {
                **kind,
                "items": [thing for key, thing in self.things.items() if key.startswith(prefix)],
            }
        self._there(prefix + name)
        if method == "DELETE":
            self._forget(prefix + name)
            kept = self.policies.items()
            self.policies = {
                key: each for key, each in kept if not key.endswith(f"services/{name}")
            }
            return {"status": "Success"}
        return self.things[prefix + name]


def _deployed(body: Any, project: str, name: str, before: Any) -> Any:
    """A service of Cloud Run as it is once its newest revision is ready."""
    generation = before["metadata"]["generation"] + 1 if before else 1
    revision = f"{name}-{generation:05}-abc"
    url = f"https://{name}-{NUMBER}.europe-west1.run.app"
    return {
        **body,
        "metadata": {
            **body["metadata"],
            "name": name,
            "namespace": NUMBER,
            "generation": generation,
            "resourceVersion": f"v{generation}",
            "uid": "1",
        },
        "spec": {**body["spec"], "traffic": [{"latestRevision": True, "percent": 100}]},
        "status": {
            "observedGeneration": generation,
            "conditions": [
                {"type": each, "status": "True"}
                for each in ("Ready", "ConfigurationsReady", "RoutesReady")
            ],
            "latestCreatedRevisionName": revision,
            "latestReadyRevisionName": revision,
            "traffic": [{"latestRevision": True, "percent": 100, "revisionName": revision}],
            "url": url,
            "address": {"url": url},
        },
    }


@contextmanager
def running() -> Iterator[Google]:
    """The stand-in, for as long as a block lasts."""
    google = Google()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(google))
    google.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield google
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(google: Google) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size)
            try:
                status, answer = (
                    200,
                    google.answer(self.command, self.path, json.loads(body or "{}")),
                )
            except Refused as refused:
                status, answer = refused.code, refused.answer
            said = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
