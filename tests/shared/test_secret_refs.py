from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.secret_manager import SecretManager
from lab.secrets import Secrets, State
from shared import secret_refs
from shared.errors import Mistake, PermanentFailure
from shared.secret_refs import Secret, SecretGone, SecretReader, SecretRef


def a_reader(environ: dict[str, str] | None = None) -> SecretReader:
    return SecretReader(project=lambda: "acme", environ=environ or {})


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("env:DBT_TOKEN", SecretRef("env", "DBT_TOKEN")),
        ("file:/run/secrets/token", SecretRef("file", "/run/secrets/token")),
        ("secret:pd-routing-key", SecretRef("secret", "pd-routing-key")),
        ("secret:pd-routing-key@7", SecretRef("secret", "pd-routing-key", "7")),
        ("secret:pd-routing-key@former", SecretRef("secret", "pd-routing-key", "former")),
        ("secret:projects/acme/secrets/pd", SecretRef("secret", "pd", "latest", "acme")),
        (
            "secret:projects/acme.org:p/secrets/pd/versions/7",
            SecretRef("secret", "pd", "7", "acme.org:p"),
        ),
        ("  secret:pd\n", SecretRef("secret", "pd")),
    ],
)
def test_a_reference_says_where_a_secret_is_kept(text: str, ref: SecretRef) -> None:
    assert secret_refs.parse(text) == ref


@pytest.mark.parametrize(
    "text",
    [
        "env:DBT_TOKEN",
        "file:/run/secrets/token",
        "secret:pd",
        "secret:pd@7",
        "secret:projects/acme/secrets/pd/versions/7",
    ],
)
def test_a_reference_is_shown_as_it_was_written(text: str) -> None:
    assert str(secret_refs.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "env:",
        "env:A B",
        "env:1A",
        "file:token",
        "file:",
        "file:/run/\0",
        "file:/run/\ud800",
        "secret:",
        "secret:a/b",
        "secret:a@",
        "secret:a@1@2",
        "secret:projects/acme",
        "secret:projects/ACME/secrets/a",
        "secret:" + "a" * 256,
    ],
)
def test_a_malformed_reference_is_a_mistake_that_names_its_kind(text: str) -> None:
    with pytest.raises(Mistake, match=f"this {text.partition(':')[0]}: reference is malformed"):
        secret_refs.parse(text)


@given(st.text())
def test_no_text_makes_the_parser_fail_otherwise(text: str) -> None:
    for written in (text, f"secret:{text}", f"env:{text}", f"file:{text}"):
        try:
            secret_refs.parse(written)
        except Mistake:
            continue


def test_a_secret_written_as_it_is_is_refused_and_not_repeated() -> None:
    with pytest.raises(Mistake) as refusal:
        secret_refs.parse("hunter2-the-password")

    assert "hunter2" not in str(refusal.value)
    assert "secret:NAME" in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("secret:a", True), (" env:A", True), ("file:/a", True), ("dbtc_abc", False), ("", False)],
)
def test_a_reference_is_told_from_a_value(text: str, *, is_one: bool) -> None:
    assert secret_refs.is_reference(text) is is_one


def test_a_variable_holds_a_secret() -> None:
    assert a_reader({"TOKEN": " value\n"}).read(SecretRef("env", "TOKEN")) == "value"


@pytest.mark.parametrize("environ", [{}, {"TOKEN": ""}, {"TOKEN": " \n"}])
def test_a_variable_that_is_empty_or_not_set_holds_none(environ: dict[str, str]) -> None:
    with pytest.raises(PermanentFailure, match="the secret env:TOKEN is empty or not set"):
        a_reader(environ).read(SecretRef("env", "TOKEN"))


def test_a_file_holds_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("value\n")

    assert a_reader().read(SecretRef("file", str(path))) == "value"


def test_a_file_is_read_anew_each_time(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old")
    reader = a_reader()
    reader.read(SecretRef("file", str(path)))

    path.write_text("new")

    assert reader.read(SecretRef("file", str(path))) == "new"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty or not set"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"x" * 65_537, "is larger than 65,536 bytes"),
        ("ä".encode() * 40_000, "is larger than 65,536 bytes"),
    ],
)
def test_a_file_that_holds_no_secret_is_a_permanent_failure(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)

    with pytest.raises(PermanentFailure, match=f"{path} {reason}"):
        a_reader().read(SecretRef("file", str(path)))


@pytest.mark.parametrize("name", ["missing", ""])
def test_a_file_that_cannot_be_read_is_a_permanent_failure(tmp_path: Path, name: str) -> None:
    with pytest.raises(PermanentFailure, match="cannot be read: "):
        a_reader().read(SecretRef("file", str(tmp_path / name)))


def test_secret_manager_holds_a_secret() -> None:
    manager = SecretManager(Secrets(project="acme"))
    manager.secrets.put("token", "old")
    manager.secrets.put("token", "new\n")
    with manager.serve() as host:
        reader = SecretReader(project=lambda: "acme", manager_host=host)

        assert reader.read(SecretRef("secret", "token")) == "new"
        assert reader.read(SecretRef("secret", "token", "1")) == "old"
        assert reader.read(SecretRef("secret", "token", "1", "acme")) == "old"


def test_the_project_is_asked_for_only_when_the_reference_names_none() -> None:
    manager = SecretManager(Secrets(project="acme"))
    manager.secrets.put("token", "value")

    def no_project() -> str:
        raise AssertionError("asked for")

    with manager.serve() as host:
        reader = SecretReader(project=no_project, manager_host=host, environ={"TOKEN": "value"})

        assert reader.read(SecretRef("env", "TOKEN")) == "value"
        assert reader.read(SecretRef("secret", "token", "latest", "acme")) == "value"


def test_a_failure_of_secret_manager_names_the_reference_and_not_the_value() -> None:
    manager = SecretManager(Secrets(project="acme"))
    manager.secrets.put("token", "hunter2")
    manager.secrets.set_state("token", 1, State.DISABLED)
    with manager.serve() as host:
        reader = SecretReader(project=lambda: "acme", manager_host=host)

        with pytest.raises(PermanentFailure) as failure:
            reader.read(SecretRef("secret", "token"))

    assert str(failure.value) == (
        "the secret secret:token cannot be read: "
        "FailedPrecondition: this version is disabled or destroyed"
    )


def test_a_secret_of_secret_manager_says_which_version_it_is() -> None:
    manager = SecretManager(Secrets(project="acme", number="123"))
    manager.secrets.put("token", "old")
    manager.secrets.put("token", "new\n")
    manager.secrets.alias("token", "former", 1)
    with manager.serve() as host:
        reader = SecretReader(project=lambda: "acme", manager_host=host)

        latest = reader.resolve(SecretRef("secret", "token"))
        former = reader.resolve(SecretRef("secret", "token", "former"))

        assert latest == Secret("new", SecretRef("secret", "token", "2", "123"))
        assert former == Secret("old", SecretRef("secret", "token", "1", "123"))
        manager.secrets.put("token", "newest")
        assert reader.resolve(latest.pinned) == latest


def test_a_variable_and_a_file_have_no_versions(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("value")

    for ref in (SecretRef("env", "TOKEN"), SecretRef("file", str(path))):
        assert a_reader({"TOKEN": "value"}).resolve(ref) == Secret("value", ref)


@pytest.mark.parametrize("version", ["1", "7"])
def test_a_version_that_is_not_there_any_more_is_gone(version: str) -> None:
    manager = SecretManager(Secrets(project="acme"))
    manager.secrets.put("token", "value")
    manager.secrets.set_state("token", 1, State.DESTROYED)
    with manager.serve() as host:
        reader = SecretReader(project=lambda: "acme", manager_host=host)

        with pytest.raises(SecretGone, match=f"the secret secret:token@{version} cannot be read"):
            reader.resolve(SecretRef("secret", "token", version))


def test_a_version_that_is_not_ours_to_read_may_be_some_day() -> None:
    manager = SecretManager(Secrets(project="acme"))
    manager.secrets.put("token", "value")
    manager.secrets.deny("token")
    with manager.serve() as host:
        reader = SecretReader(project=lambda: "acme", manager_host=host)

        with pytest.raises(PermanentFailure) as raised:
            reader.resolve(SecretRef("secret", "token"))

    assert not isinstance(raised.value, SecretGone)


def test_a_secret_is_not_shown_when_it_is_printed() -> None:
    assert "hunter2" not in repr(Secret("hunter2", SecretRef("env", "TOKEN")))


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_secret_is_recognised_by_its_fingerprint(one: str, other: str) -> None:
    found = secret_refs.fingerprint(one)

    assert len(found) == 16
    assert int(found, 16) >= 0
    assert (found == secret_refs.fingerprint(other)) is (one == other)
