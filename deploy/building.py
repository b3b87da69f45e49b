"""Where the image is built, by whom, and where it is kept."""

from collections.abc import Iterator

from deploy.accounts import account
from deploy.binding import binding, project_binding
from deploy.names import BUILD, RECEIVER, REPOSITORY, SUBSCRIBER, Deployment
from deploy.seen import first
from deploy.step import OURS, Look, Step, gcloud

PART = "build"


def building(it: Deployment) -> Iterator[Step]:
    """Nothing, where an image is given."""
    if it.image:
        return
    build, where = it.member(BUILD), (f"--location={it.region}",)
    yield account(it, BUILD, "builds and deploys the image", PART)
    repository = ("artifacts", "repositories")
    yield Step(
        f"repository {REPOSITORY} of images",
        PART,
        (
            gcloud(
                it.project,
                *(*repository, "create", REPOSITORY, "--repository-format=docker"),
                *(*where, "--description=Images of Afterrun", "--labels=app=afterrun"),
            ),
        ),
        Look(gcloud(it.project, *repository, "describe", REPOSITORY, *where, "--format=json")),
        undo=(gcloud(it.project, *repository, "delete", REPOSITORY, *where),),
        made_here=OURS,
    )
    thing = (*repository, REPOSITORY)
    yield binding(it, PART, thing, build, "roles/artifactregistry.writer", where=where)
    buckets = ("storage", "buckets")
    yield Step(
        f"bucket {it.bucket} of sources",
        PART,
        (
            gcloud(
                it.project, *buckets, "create", it.bucket, *where, "--uniform-bucket-level-access"
            ),
        ),
        # not described: the names of all the world's buckets are one space, and whoever makes one
        # of this name before us would be given the sources, and could give us others to build
        Look(
            gcloud(it.project, *buckets, "list", "--format=json"),
            first(name=it.bucket.removeprefix("gs://")),
            gcloud(
                *(it.project, *buckets, "list", "--format=value(name)"),
                f"--filter=name={it.bucket.removeprefix('gs://')}",
            ),
        ),
        undo=(gcloud(it.project, "storage", "rm", "--recursive", it.bucket),),
    )
    yield binding(it, PART, (*buckets, it.bucket), build, "roles/storage.objectUser")
    for name in (RECEIVER, SUBSCRIBER):
        thing = ("iam", "service-accounts", it.account(name))
        yield binding(it, PART, thing, build, "roles/iam.serviceAccountUser")
    for role in ("roles/run.developer", "roles/logging.logWriter"):
        yield project_binding(it, PART, build, role)
