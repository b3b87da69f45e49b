from cli import apps

app = apps.made()


@app.command()
def it() -> None:
    """To be built."""
