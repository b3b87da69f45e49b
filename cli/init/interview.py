"""The interview: what `afterrun init` asks, unless the command line has said it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel

from cli.check import schema
from cli.init.starting import Start
from shared import secret_refs
from shared.errors import Mistake
from subscriber import destinations, patterns
from subscriber.configuration import DbtCloudSettings, in_words
from subscriber.destination import Does
from subscriber.hints import did_you_mean

NONE = "none"
CHATS = (NONE, "slack", "teams")
HOST, PRODUCTION = "cloud.getdbt.com", "Production"
# what is usual; none of them is a secret, but where one is kept
KEPT = {
    "token": "secret:dbt-cloud-service-token",
    "slack": "secret:slack-data-alerts",
    "teams": "secret:teams-data-alerts",
}
TRIES = 5  # for one answer
# one of these is needed: the first is asked for
_ONE_OF: Mapping[str, tuple[str, ...]] = {"tableau": ("workbook", "datasource", "flow")}

Ask = Callable[[str], str]
"""Shows a question and returns what is typed; raises Mistake where nobody can be asked."""


def dashboards() -> list[str]:
    """The kinds that refresh something."""
    return [name for name in destinations.names() if destinations.kind(name).does is Does.REFRESH]


@dataclass(frozen=True)
class Interview:
    """`given` are the answers of the command line, by flag, and `sets` those of a dashboard, by
    key. `ask` is None if nobody is to be asked. `say` shows why an answer is not taken; it never
    repeats it.
    """

    given: Mapping[str, str]
    sets: Mapping[str, str]
    ask: Ask | None
    say: Callable[[str], None]

    def start(self) -> Start:
        """All the answers. Raises Mistake, which names the flag."""
        answer = self._answer
        found = Start(
            host=answer("host", "Host of your access URL in dbt Cloud", _host, HOST),
            account=answer("account", "Account id, the number in its URLs", _account),
            token=answer("token", "Where is the service token kept?", _reference, KEPT["token"]),
            environment=answer("environment", "Environment of production", _pattern, PRODUCTION),
            pagerduty=answer(
                "pagerduty",
                "Where is PagerDuty's integration key kept? Empty: no pager",
                _reference_or_none,
            ),
            chat=self._chat(),
            dashboard=self._dashboard(),
        )
        if not found.dashboard:
            self._means_nothing(("job",), "without a dashboard")
            return found
        about = "Job whose good runs refresh it, by name or id. Empty: any in production"
        return replace(found, job=answer("job", about, _pattern_or_none))

    def _chat(self) -> Mapping[str, str]:
        named = [name for name in CHATS if name in self.given]
        if len(named) > 1:
            raise Mistake("--slack and --teams: write one; the file can have more")
        about = f"Chat: {_either(CHATS)}"
        chat = named[0] if named else self._answer("chat", about, _one_of(CHATS), NONE)
        if chat == "slack":
            return self._slack()
        self._means_nothing(("channel",), "without --slack")
        if chat == NONE:
            return {}
        kept = self._answer(
            "teams", "Where is the URL of the flow kept?", _reference, KEPT["teams"]
        )
        return {"kind": "teams", "webhook_url": kept}

    def _slack(self) -> Mapping[str, str]:
        about = "Where is the webhook's URL, or the bot's token, kept?"
        kept = self._answer("slack", about, _reference, KEPT["slack"])
        about = "The bot's channel, such as C0123456789. Empty: it is a webhook"
        channel = self._answer("channel", about, _field("slack", "channel", optional=True))
        if channel:
            return {"kind": "slack", "bot_token": kept, "channel": channel}
        return {"kind": "slack", "webhook_url": kept}

    def _dashboard(self) -> Mapping[str, str]:
        kinds = (NONE, *dashboards())
        about = f"Dashboard to refresh: {_either(kinds)}"
        name = self._answer("dashboard", about, _one_of(kinds), NONE)
        if name == NONE:
            if self.sets:
                raise Mistake("--set: means nothing without a dashboard")
            return {}
        known = list(destinations.kind(name).model_fields)
        for key in self.sets:
            if key not in known:
                raise Mistake(f"--set: {name} has no such key{did_you_mean(key, known)}")
        fields = {
            key: _read(_field(name, key), value, f"--set {key}") for key, value in self.sets.items()
        }
        for key, about in needed(name).items():
            if key in fields or _is_said_otherwise(key, name, fields):
                continue
            if self.ask is None:
                raise Mistake(f"--set {key}=...: missing; {about}")
            fields[key] = self._asked(self.ask, f"{key}: {about}", _field(name, key), "", "set")
        return {"kind": name, **{key: fields[key] for key in known if key in fields}}

    def _means_nothing(self, flags: tuple[str, ...], where: str) -> None:
        for flag in flags:
            if flag in self.given:
                raise Mistake(f"--{flag}: means nothing {where}")

    def _answer(self, flag: str, about: str, read: Callable[[str], str], default: str = "") -> str:
        if flag in self.given:
            return _read(read, self.given[flag], f"--{flag}")
        if self.ask is None:
            return _read(read, default, f"--{flag}")
        return self._asked(self.ask, about, read, default, flag)

    def _asked(
        self, ask: Ask, about: str, read: Callable[[str], str], default: str, flag: str
    ) -> str:
        for _ in range(TRIES):
            typed = ask(f"{about} [{default}]: " if default else f"{about}: ").strip()
            try:
                return read(typed or default)
            except Mistake as mistake:
                self.say(str(mistake))
        raise Mistake(f"no answer in {TRIES} tries that could be taken; it can be --{flag} as well")


def needed(name: str) -> dict[str, str]:
    """The fields that a destination of the kind `name` needs, with what each is."""
    kind = destinations.kind(name)
    besides = _ONE_OF.get(name, ())[:1]
    return {
        key: field.description or key
        for key, field in kind.model_fields.items()
        if field.is_required() or key in besides
    }


def _is_said_otherwise(key: str, name: str, fields: Mapping[str, str]) -> bool:
    others = _ONE_OF.get(name, ())
    return key in others and any(each in fields for each in others)


def _either(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _read(read: Callable[[str], str], value: str, flag: str) -> str:
    try:
        return read(value.strip())
    except Mistake as mistake:
        raise Mistake(f"{flag}: {mistake}") from None


def _reference(value: str) -> str:
    return str(secret_refs.parse(value))


def _reference_or_none(value: str) -> str:
    return "" if value in ("", NONE) else _reference(value)


def _host(value: str) -> str:
    _checked(DbtCloudSettings, "host", value)
    # as the service has it: it may have been copied from the browser
    return DbtCloudSettings.model_validate({"host": value, "token": "env:TOKEN"}).host


def _account(value: str) -> str:
    if value and not (value.isascii() and value.isdigit() and len(value) < 20):
        raise Mistake("write the account's id, digits alone")
    return value


def _pattern(value: str) -> str:
    try:
        patterns.parse(value)
    except ValueError as error:
        raise Mistake(str(error)) from None
    return value


def _pattern_or_none(value: str) -> str:
    return _pattern(value) if value else ""


def _one_of(known: Sequence[str]) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value.casefold() not in known:
            raise Mistake(f"write one of: {', '.join(known)}")
        return value.casefold()

    return read


def _field(name: str, key: str, *, optional: bool = False) -> Callable[[str], str]:
    def read(value: str) -> str:
        return "" if optional and not value else _checked(destinations.kind(name), key, value)

    return read


def _checked(model: type[BaseModel], key: str, value: str) -> str:
    """`value`, if the field `key` takes it."""
    for error in schema.errors(model, {key: value}):
        if error["loc"][:1] == (key,):
            raise Mistake(in_words(error["type"], error["msg"]))
    return value
