"""What Looker answers, in words: which datagroup is meant, and what mends a refusal. Pure.

Source: https://docs.cloud.google.com/looker/docs/reference/looker-api/latest/methods/Datagroup
"""

from shared.errors import PermanentFailure
from subscriber.cutting import cut, one_line
from subscriber.diagnosis import clean
from subscriber.outbound import Busy, Refused, Reply

ERROR_LIMIT = 200  # characters of what Looker says of a field


def log_in_refused(host: str, refused: Refused) -> Refused:
    """Why no token was given, and what mends it."""
    if refused.status in (401, 403, 404):
        # a key that is unknown is not found; 401 has the secret read anew
        return Refused(
            f"{host} does not know the API key (`client_id`, `client_secret`), or its user is"
            " disabled: make another one (Admin, Users, Edit, API Keys); or `base_url` is not where"
            " the API is: one's own Looker has it on port 19999",
            401,
            refused.reply,
        )
    if refused.status == 400:
        return Refused(f"{host} did not understand the log-in: is `base_url` a Looker's?", 400)
    return refused


def refused(host: str, datagroup: str, refused: Refused) -> Refused:
    """Why `datagroup` was not refreshed, and what mends it."""
    why = {
        400: f"did not understand the request to refresh {datagroup}: is `base_url` a Looker's?",
        401: "does not accept the token that it has just given: is `base_url` one Looker's only?",
        403: f"does not let the API key's user refresh {datagroup}: {_PERMISSION}",
        404: f"has no datagroup {datagroup}, or not for the API key's user: {_PERMISSION}",
        409: f"is in conflict about {datagroup}: look at it in Looker (Admin, Datagroups)",
        422: _invalid(refused.reply),
    }.get(refused.status)
    return Refused(f"{host} {why}", refused.status, refused.reply) if why else refused


def too_often(host: str, busy: Busy) -> Busy:
    """The same, where Looker says that it was asked too often."""
    if busy.status != 429:
        return busy
    return Busy(
        f"{host} answered 429: it is asked too often for now; should that last, refresh less often",
        status=busy.status,
        retry_after_s=busy.retry_after_s,
        reply=busy.reply,
    )


def found(host: str, datagroup: str, reply: Reply) -> str:
    """The id of the datagroup `model::name` among all that `reply` lists.

    Raises PermanentFailure if it is not among them.
    """
    if not isinstance(reply.content, list):
        raise PermanentFailure(f"{host} listed no datagroups: is `base_url` a Looker's?")
    model, _, name = datagroup.partition("::")
    for each in reply.content:
        if isinstance(each, dict) and (each.get("model_name"), each.get("name")) == (model, name):
            return str(each.get("id"))
    raise PermanentFailure(
        f"{host} has no datagroup {name} in a model {model}, or not for the API key's user:"
        f" {_PERMISSION}"
    )


_PERMISSION = (
    "compare the name with Looker's (Admin, Database, Datagroups), and give the user a role with"
    " see_datagroups, update_datagroups and the model"
)


def _invalid(reply: Reply) -> str:
    said = reply.content.get("errors") if isinstance(reply.content, dict) else None
    errors = [each for each in said if isinstance(each, dict)] if isinstance(said, list) else []
    told = "; ".join(f"{each.get('field')}: {each.get('message')}" for each in errors)
    if "future" in told:
        return (
            "takes the time for one in the future: the clock of this machine is ahead of Looker's;"
            " set it right"
        )
    shown = cut(one_line(clean(told[:5_000])), ERROR_LIMIT)
    return f"does not take the change{f' ({shown})' if shown else ''}: is it the right datagroup?"
