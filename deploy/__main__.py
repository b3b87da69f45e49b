"""`python -m deploy`."""

from deploy.main import main

main()
