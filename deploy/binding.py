"""Who may do what with which thing: a binding of its IAM policy."""

from deploy.names import PREFIX, Deployment
from deploy.seen import is_bound
from deploy.step import Look, Step, gcloud

MAY = {
    "roles/artifactregistry.writer": "may write to",
    "roles/datastore.user": "may use",
    "roles/iam.serviceAccountUser": "may deploy as",
    "roles/logging.logWriter": "may write logs of",
    "roles/pubsub.publisher": "may publish to",
    "roles/pubsub.subscriber": "may take from",
    "roles/run.developer": "may deploy to",
    "roles/run.invoker": "may call",
    "roles/secretmanager.secretAccessor": "may read",
    "roles/storage.objectUser": "may use",
}
"""Every role that is given, in words."""


def _who(it: Deployment, member: str) -> str:
    if member in (it.pubsub_agent, "allUsers"):
        return "everybody" if member == "allUsers" else "Pub/Sub"
    return member.removeprefix("serviceAccount:").partition("@")[0].removeprefix(PREFIX)


def binding(
    it: Deployment,
    part: str,
    thing: tuple[str, ...],
    member: str,
    role: str,
    *,
    where: tuple[str, ...] = (),
    is_undone: bool = False,
) -> Step:
    """`thing` is its group of commands and its name, `where` what these need besides.

    `is_undone`: the thing may outlive the member, which must not be left in its policy.
    """
    *group, name = thing
    bound = (f"--member={member}", f"--role={role}", *where)
    remove = gcloud(it.project, *group, "remove-iam-policy-binding", name, *bound)
    return Step(
        f"{_who(it, member)} {MAY[role]} {name.partition('@')[0]}",
        part,
        (gcloud(it.project, *group, "add-iam-policy-binding", name, *bound),),
        Look(
            gcloud(it.project, *group, "get-iam-policy", name, *where, "--format=json"),
            is_bound(member, role),
        ),
        repeats=True,
        undo=(remove,) if is_undone else (),
    )


def project_binding(
    it: Deployment, part: str, member: str, role: str, title: str = "", expression: str = ""
) -> Step:
    """Always with a condition, or the word that there is none: else gcloud may ask."""
    condition = f"expression={expression},title={title}" if expression else "None"
    bound = (f"--member={member}", f"--role={role}", f"--condition={condition}", "--format=none")
    return Step(
        f"{_who(it, member)} {MAY[role]} {title or 'the project'}",
        part,
        (("gcloud", "projects", "add-iam-policy-binding", it.project, *bound, "--quiet"),),
        Look(
            ("gcloud", "projects", "get-iam-policy", it.project, "--format=json"),
            is_bound(member, role, expression),
        ),
        repeats=True,
        undo=(("gcloud", "projects", "remove-iam-policy-binding", it.project, *bound, "--quiet"),),
    )
