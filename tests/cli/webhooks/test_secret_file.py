import os
import stat
from pathlib import Path

import pytest

from cli.webhooks.secret_file import SecretFile
from shared.errors import Mistake, PermanentFailure
from shared.secret_refs import SecretRef


def a_place(path: Path) -> SecretFile:
    return SecretFile(SecretRef("file", str(path)))


def store(path: Path) -> None:
    with a_place(path).prepared() as stored:
        stored("hush")


@pytest.fixture
def open_umask() -> object:
    before = os.umask(0)
    yield before
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_nobody_else_can_read_it_whatever_the_umask(tmp_path: Path) -> None:
    store(tmp_path / "secret")

    found = tmp_path / "secret"
    assert found.read_text() == "hush"
    assert stat.S_IMODE(found.stat().st_mode) == 0o600


@pytest.mark.usefixtures("open_umask")
def test_it_is_never_wider_while_it_is_written(tmp_path: Path) -> None:
    with a_place(tmp_path / "secret").prepared():
        (beside,) = tmp_path.iterdir()

        assert stat.S_IMODE(beside.stat().st_mode) == 0o600
        assert beside.read_text() == ""


def test_an_existing_file_that_others_can_read_is_replaced_by_one_that_they_cannot(
    tmp_path: Path,
) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    with path.open() as reader:
        store(path)

        # whoever had it open still has the old one
        assert reader.read() == "old"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert a_place(path).value() == "hush"


def test_nothing_is_left_behind_when_nothing_was_stored(tmp_path: Path) -> None:
    with a_place(tmp_path / "secret").prepared():
        pass

    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_behind_after_a_failure(tmp_path: Path) -> None:
    def fail() -> None:
        with a_place(tmp_path / "secret").prepared():
            raise PermanentFailure("no")

    with pytest.raises(PermanentFailure):
        fail()

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="is no folder"):
        store(tmp_path / "missing" / "secret")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "secret").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(Mistake, match="is a link"):
        store(tmp_path / "secret")

    assert (tmp_path / "elsewhere").read_text() == ""


def test_a_link_to_nowhere_is_not_followed_either(tmp_path: Path) -> None:
    (tmp_path / "secret").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(Mistake, match="is a link"):
        store(tmp_path / "secret")

    assert not (tmp_path / "elsewhere").exists()


def test_a_link_that_somebody_makes_meanwhile_is_not_followed(tmp_path: Path) -> None:
    with a_place(tmp_path / "secret").prepared() as stored:
        (tmp_path / "secret").symlink_to(tmp_path / "elsewhere")

        with pytest.raises(Mistake, match="is a link"):
            stored("hush")

    assert not (tmp_path / "elsewhere").exists()


def test_what_somebody_writes_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    with a_place(tmp_path / "secret").prepared() as stored:
        (tmp_path / "secret").write_text("theirs")

        with pytest.raises(PermanentFailure, match="meanwhile"):
            stored("hush")

    assert (tmp_path / "secret").read_text() == "theirs"


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_ordinary_file_is_a_mistake(tmp_path: Path, kind: str) -> None:
    if kind == "folder":
        (tmp_path / "secret").mkdir()
    else:
        os.mkfifo(tmp_path / "secret")

    with pytest.raises(Mistake, match="no ordinary file"):
        store(tmp_path / "secret")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_a_mistake(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(Mistake, match="no file can be made here"):
        store(tmp_path / "secret")


@pytest.mark.parametrize(("content", "holds"), [("hush", True), ("", False), (None, False)])
def test_it_holds_a_secret_unless_it_is_empty(
    tmp_path: Path, content: str | None, *, holds: bool
) -> None:
    if content is not None:
        (tmp_path / "secret").write_text(content)

    assert a_place(tmp_path / "secret").holds() is holds
