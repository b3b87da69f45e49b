"""A recorder: the door through which nothing goes out, to see what would."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from subscriber.outbound import Outbound, Reply


@dataclass(frozen=True)
class Recorder(Outbound):
    """Keeps each request as text, without its headers, and answers 200 with an empty object."""

    requests: list[str] = field(default_factory=list)

    def _request(self, method: str, url: str, **request: Any) -> Reply:
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        said = request.get("data") or b""
        try:
            body = json.dumps(json.loads(said), indent=2, ensure_ascii=False)
        except ValueError:
            body = said.decode("utf-8", "replace")
        self.requests.append(f"{method} {parts.path or '/'}{query}\n{body}\n")
        return Reply(200, {})
