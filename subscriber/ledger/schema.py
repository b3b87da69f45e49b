"""The version of what a store holds. Another one is refused: state is never misread."""

SCHEMA_VERSION = 2


def refusal(version: int) -> str:
    """Why a store of that version is not ours to use, and what to do. For people."""
    if version > SCHEMA_VERSION:
        why = (
            "it was written by a newer version of the program: run the program that wrote it, or "
            "name a new ledger"
        )
    else:
        why = (
            "it was written by an older version of the program, whose state this one does not "
            "read: name a new ledger, and close by hand what that one still holds open"
        )
    return f"its version is {version}, this program reads {SCHEMA_VERSION}; {why}"
