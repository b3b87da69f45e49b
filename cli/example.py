"""Examples: a small configuration of each kind of destination, to look at a kind without one.

They are those of the kinds' pages; see `tests/cli/examples.py`.
"""

from importlib.resources import files

from shared.errors import Mistake
from subscriber import configuration, destinations
from subscriber.configuration import Configuration
from subscriber.hints import did_you_mean
from subscriber.yaml_lines import parse


def load(kind: str) -> Configuration:
    """The example of that kind; raises Mistake if there is no such kind."""
    known = destinations.names()
    if kind not in known:
        raise Mistake(f"there is no kind `{kind}`{did_you_mean(kind, known)}")
    name = f"{kind}.yaml"
    text = (files("cli") / "examples" / name).read_text("utf-8")
    return configuration.read(*parse(text, name))
