"""afterrun silence: what shall not be told for a while."""

from cli import apps

app = apps.made()


@app.command()
def silence() -> None:
    """x."""
