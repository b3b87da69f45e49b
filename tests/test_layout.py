"""The arrows between our folders, and what pyproject.toml promises of the dependencies."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("function", "subscriber", "shared", "lab", "cli", "deploy", "tests", "benchmarks")
MAY_IMPORT = {
    "shared": {"shared"},
    "function": {"function", "shared"},
    "subscriber": {"subscriber", "shared"},
    "lab": {"lab", "shared"},
    "cli": {"cli", "function", "subscriber", "shared", "lab"},
    "deploy": {"deploy", "cli", "subscriber", "shared"},
}
SHIPPED = ("function", "subscriber", "shared")


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def imported(module: Path) -> set[str]:
    """The top-level packages that `module` imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." if node.level else str(node.module).partition(".")[0])
    return found


def reads_the_environment(module: Path) -> bool:
    names = {"environ", "environb", "getenv", "getenvb"}
    for node in ast.walk(ast.parse(module.read_text())):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in names
            and ast.unparse(node.value) == "os"
        ):
            return True
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            return bool(names & {alias.name for alias in node.names})
    return False


def names_of(paths: list[Path]) -> set[str]:
    return {str(path.relative_to(ROOT)) for path in paths}


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_imports_only_what_the_layout_allows(folder: str) -> None:
    forbidden = set(FOLDERS) - MAY_IMPORT[folder]

    wrong = {
        str(module.relative_to(ROOT)): found
        for module in modules(folder)
        if (found := imported(module) & (forbidden | {"."}))
    }

    assert wrong == {}


def test_the_layout_is_looked_at_where_the_code_is() -> None:
    assert all(any(modules(folder)) for folder in MAY_IMPORT)


def test_the_environment_is_read_in_the_settings_only() -> None:
    readers = [module for module in modules(*SHIPPED) if reads_the_environment(module)]

    assert names_of(readers) == {"shared/settings.py", "shared/secret_refs.py"}


def test_packages_are_empty_but_for_the_one_that_finds_the_destinations() -> None:
    packages = [module for module in modules(*FOLDERS) if module.name == "__init__.py"]

    filled = [package for package in packages if package.read_text()]

    assert names_of(filled) <= {"subscriber/destinations/__init__.py"}


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def asked_for(*, dev: bool = False) -> list[str]:
    """The requirements of pyproject.toml, as they are written there."""
    project = pyproject()["project"]
    extras = project["optional-dependencies"]
    return [*extras["lab"], *extras["dev"]] if dev else list(project["dependencies"])


def dependencies(*, dev: bool = False) -> set[str]:
    """The names of what is asked for."""
    return {normal(re.split(r"[^A-Za-z0-9._-]", each)[0]) for each in asked_for(dev=dev)}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(name: str) -> dict[str, set[str]]:
    """Package and pinned versions; more than one where they differ by Python's version."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^\s;\\]+)", text_of(name)):
        found.setdefault(normal(package), set()).add(version)
    return found


def text_of(name: str) -> str:
    return (ROOT / name).read_text()


def requirements(name: str) -> list[str]:
    """Each requirement of the file with its options, comments left out."""
    lines = [line for line in text_of(name).splitlines() if not line.lstrip().startswith("#")]
    return "\n".join(lines).replace("\\\n", " ").splitlines()


def test_what_runs_is_pinned() -> None:
    assert dependencies() <= set(pins("requirements.txt"))


def test_what_develops_is_pinned() -> None:
    assert dependencies() | dependencies(dev=True) <= set(pins("requirements-dev.txt"))


def test_what_tests_is_not_shipped() -> None:
    assert not {"pytest", "mypy", "ruff", "hypothesis"} & set(pins("requirements.txt"))


def test_what_runs_is_what_was_tested() -> None:
    shipped, tested = pins("requirements.txt"), pins("requirements-dev.txt")

    assert shipped == {name: tested.get(name) for name in shipped}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_with_its_hashes(name: str) -> None:
    written = [line for line in requirements(name) if line.strip()]
    pinned = re.compile(r"[A-Za-z0-9._-]+==[^\s;]+( ; .+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*")

    assert len(written) > 10
    assert [line for line in written if not pinned.fullmatch(line)] == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_no_index_is_written_down(name: str) -> None:
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", text_of(name))


@pytest.mark.parametrize("requirement", asked_for() + asked_for(dev=True))
def test_every_dependency_says_why_it_is_there(requirement: str) -> None:
    assert re.search(rf'(?m)^ +"{re.escape(requirement)}",\s+# \S', text_of("pyproject.toml"))
