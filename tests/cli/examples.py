"""Makes `cli/examples` anew: `python -m tests.cli.examples`.

The first example of each kind's page in `docs/destinations`, which is not installed.
"""

import re
from pathlib import Path

from cli import history
from subscriber import destinations

FOLDER = Path(history.__file__).parent / "examples"
PAGES = Path(__file__).parents[2] / "docs" / "destinations"


def made() -> dict[str, str]:
    """The example of each kind, by its name."""
    found = {}
    for kind in destinations.names():
        page = (PAGES / f"{kind}.md").read_text(encoding="utf-8")
        example = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
        if example is None:
            raise SystemExit(f"docs/destinations/{kind}.md shows no example")
        found[kind] = example[1]
    return found


def main() -> None:
    for old in FOLDER.glob("*.yaml"):
        old.unlink()
    for kind, example in made().items():
        (FOLDER / f"{kind}.yaml").write_text(example, encoding="utf-8")


if __name__ == "__main__":
    main()
