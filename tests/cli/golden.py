"""Writes `tests/golden/cli` anew: `python -m tests.cli.golden`; look at what changed."""

import contextlib
import tempfile
from pathlib import Path

from tests.cli.commands.test_explain import AT, GOLDEN, READ, RULES
from tests.cli.running import afterrun


def main() -> None:
    GOLDEN.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("afterrun.yaml").write_text(RULES)
        for name in READ:
            out = afterrun("explain", name, "--at", AT).out
            (GOLDEN / f"explain-{name}.txt").write_text(out, encoding="utf-8")
        (GOLDEN / "render.txt").write_text(afterrun("render").out, encoding="utf-8")


if __name__ == "__main__":
    main()
