"""Who may do what with which thing: a binding of its IAM policy."""

from deploy.names import Deployment
from deploy.seen import is_bound
from deploy.step import Look, Step, gcloud


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
    who = member.removeprefix("serviceAccount:").partition("@")[0]
    bound = (f"--member={member}", f"--role={role}", *where)
    remove = gcloud(it.project, *group, "remove-iam-policy-binding", name, *bound)
    return Step(
        f"{who} is {role.removeprefix('roles/')} of {name.partition('@')[0]}",
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
    who = member.removeprefix("serviceAccount:").partition("@")[0]
    return Step(
        f"{who} is {role.removeprefix('roles/')} of {title or 'the project'}",
        part,
        (("gcloud", "projects", "add-iam-policy-binding", it.project, *bound, "--quiet"),),
        Look(
            ("gcloud", "projects", "get-iam-policy", it.project, "--format=json"),
            is_bound(member, role, expression),
        ),
        repeats=True,
        undo=(("gcloud", "projects", "remove-iam-policy-binding", it.project, *bound, "--quiet"),),
    )
