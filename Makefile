# make run    the main job, here and offline: a failed run pages, the next one recovers
# make test   everything CI checks: format, lint, types, tests
#
# make deploy PROJECT=my-project REGION=europe-west1     Afterrun on Google Cloud; safe to repeat
# make undeploy PROJECT=my-project REGION=europe-west1   and out of it again
#
# Options go in ARGS, as ARGS="--notify me@example.com --dry-run". All of them make .venv when it is
# missing or stale. Needed first: Python 3.11 to 3.13 with venv.

PYTHON ?= python3
VENV := .venv
# made anew when the pins change, and when another Python is asked for
READY := $(VENV)/.ready-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
export PYTHONPATH := $(CURDIR)
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run test deploy undeploy golden lock

run: $(READY)
	@$(VENV)/bin/afterrun lab $(ARGS)

test: $(READY)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.cloudbuild cloudbuild.yaml
	$(VENV)/bin/pytest $(ARGS)

# stops at once, in words, where one of the two is not given
PLACE = $(if $(and $(PROJECT),$(REGION)),--project="$(PROJECT)" --region="$(REGION)",$(error write: make $@ PROJECT=my-project REGION=europe-west1))

deploy: $(READY)
	@$(VENV)/bin/python -m deploy up $(PLACE) $(ARGS)

undeploy: $(READY)
	@$(VENV)/bin/python -m deploy down $(PLACE) $(ARGS)

$(READY): requirements-dev.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Afterrun needs Python 3.11 to 3.13; $(PYTHON) is {v[0]}.{v[1]}. Name another: make PYTHON=python3.12 ...")'
	@echo "Installing into $(VENV) (once, about a minute) ..."
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	@touch $@

# What is made of the kinds of destinations, written anew: what each is told (KIND=slack for one),
# the examples that are shipped, the schema for editors. Look at what changed.
golden: $(READY)
	@$(VENV)/bin/python -m tests.subscriber.test_destinations.golden $(KIND)
	@$(VENV)/bin/python -m tests.cli.examples
	@$(VENV)/bin/python -m cli check --schema > afterrun.schema.json

# Pins again what pyproject.toml asks for; needs uv. Commit what it writes.
lock:
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.txt
	uv pip compile pyproject.toml --extra lab --extra dev --constraint requirements.txt --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements-dev.txt
