"""`python -m cli`: the command, where the package is not installed."""

from cli.main import main

main()
