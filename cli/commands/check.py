"""afterrun check: the configuration as the service reads it, and what is wrong with it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from cli import apps, output
from cli.check import checking
from cli.check.checking import Checked
from cli.exits import Exit
from cli.options import Config, Json, Project, environ
from cli.output import Cell, Column
from shared.errors import Mistake
from subscriber.findings import Finding
from subscriber.settings import Unreadable

app = apps.made()

VARIABLES = (Column("variable", whole=True), Column("here", style="strong"), Column("what it is"))
REFERRED = (Column("variable", whole=True), Column("here"))


@app.command(epilog=apps.examples("afterrun check afterrun.yaml --strict --online"))
def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The same as --config.")
    ] = None,
    *,
    config: Config = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as mistakes.")] = False,
    online: Annotated[
        bool, typer.Option("--online", help="Compare names and ids with your dbt Cloud account.")
    ] = False,
    settings: Annotated[
        bool, typer.Option("--settings", help="Print every variable, and what is set here.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of the file, for editors.")
    ] = False,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Check the configuration as the service reads it, offline."""
    if sum((settings, schema, online)) > 1:
        raise typer.BadParameter("write one of --online, --settings and --schema")
    if file and config and file != config:
        raise typer.BadParameter("write the file once, here or as --config")
    if schema:
        from cli.check import schema as schemas

        output.raw(schemas.text())
        return
    told = environ(file or config, project)
    if settings:
        _settings(told, as_json=as_json)
        return
    found = _checked(told)
    if online and found.configuration is not None:
        found = _compared(found, told)
    if as_json:
        output.data({"ok": found.is_right(strict=strict), **checking.data(found)})
    else:
        _say(found, strict=strict)
        if online and found.configuration is None:
            output.hint("Not compared with dbt Cloud: mend this first.")
    if not found.is_right(strict=strict):
        raise typer.Exit(Exit.FOUND)


def _checked(told: Mapping[str, str]) -> Checked:
    try:
        return checking.checked(told)
    except Unreadable as mistake:
        # it may have been named on the command line
        raise Mistake(str(mistake).removeprefix("AFTERRUN_CONFIG: ")) from None


def _compared(found: Checked, told: Mapping[str, str]) -> Checked:
    """The same, with what dbt Cloud does not know."""
    from cli.check import named, online
    from shared import secret_refs
    from subscriber import wiring
    from subscriber.settings import places
    from subscriber.yaml_lines import Lines

    kept = found.configuration
    if kept is None:
        return found
    ref = secret_refs.parse(kept.dbt_cloud.token.get_secret_value())
    with output.progress("Asking dbt Cloud ..."):
        token = wiring.secret_reader(places(told)).read(ref)
        admin = wiring.admin(kept.dbt_cloud, lambda: token)
        seen = online.seen(admin, kept.dbt_cloud.accounts)
    lines = kept.lines or Lines("")
    strangers = named.strangers(kept.rules, kept.overrides, seen.accounts, lines)
    return found.with_mistakes([*seen.mistakes(kept), *strangers]).with_warnings(seen.warnings())


def _say(found: Checked, *, strict: bool) -> None:
    for each in found.mistakes:
        output.located(each.place, _without_place(each))
    for each in found.warnings:
        output.located(each.place, f"warning: {_without_place(each)}", "warn")
    is_right = found.is_right(strict=strict)
    output.located("", checking.summary(found), "good" if is_right else "bad")
    if said := checking.note(found.configuration):
        output.hint(f"note: {said}.")


def _without_place(found: Finding) -> str:
    return f"{found.key}: {found.what}" if found.key else found.what


def _is_set(it_is: bool) -> Cell:  # noqa: FBT001
    return Cell("set", "good") if it_is else Cell("not set", "bad")


def _settings(told: Mapping[str, str], *, as_json: bool) -> None:
    from cli.check import variables

    wrong = variables.mistakes(told)
    if as_json:
        output.data(variables.data(told))
    else:
        for whose, group in variables.GROUPS.items():
            output.say(whose, "strong")
            rows = [(each.name, variables.here(each, told), each.about) for each in group]
            output.table(VARIABLES, rows)
            output.say()
        if referred := variables.referred(told):
            output.say("That the configuration refers to", "strong")
            output.table(REFERRED, [(name, _is_set(it_is)) for name, it_is in referred.items()])
            output.say()
        for which, mistake in wrong.items():
            output.located(f"The {which} would not start here", mistake, "bad")
    if wrong:
        raise typer.Exit(Exit.FOUND)
