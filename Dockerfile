# One image for both functions and the command line. What runs is chosen when it is started:
#   the receiver    FUNCTION_SOURCE=function/main.py    FUNCTION_TARGET=receive_webhook
#   the subscriber  FUNCTION_SOURCE=subscriber/main.py  FUNCTION_TARGET=handle_event
#   a command       --entrypoint afterrun               for example `work`, which pulls and ticks
# With none it stops at once and says so: a service that runs the wrong one would look healthy.

ARG PYTHON=docker.io/library/python:3.13-slim-bookworm

FROM ${PYTHON} AS builder
RUN python -m venv --without-pip /venv
COPY requirements.txt /requirements.txt
RUN python -m pip --python /venv/bin/python --disable-pip-version-check install \
      --no-cache-dir --no-compile --only-binary=:all: --require-hashes -r /requirements.txt
COPY function /app/function
COPY subscriber /app/subscriber
COPY shared /app/shared
COPY cli /app/cli
COPY pyproject.toml /pyproject.toml
# our code is not installed: its command, and what `afterrun --version` asks, are made here
RUN version=$(sed -n 's/^version = "\(.*\)"$/\1/p' /pyproject.toml) \
      && mkdir /app/afterrun-$version.dist-info /data \
      && printf 'Metadata-Version: 2.1\nName: afterrun\nVersion: %s\n' $version \
        > /app/afterrun-$version.dist-info/METADATA \
      && printf '#!/bin/sh\nexec python -P -m cli "$@"\n' > /venv/bin/afterrun \
      && chmod 755 /venv/bin/afterrun
# by hash and unchecked: the sources do not change any more, so no start looks at them
RUN /venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /venv/lib /app

FROM ${PYTHON}
COPY --from=builder /venv /venv
COPY --from=builder /app /app
# where a ledger in a SQLite file may be: a volume that is mounted here belongs to the user below
COPY --from=builder --chown=10001:10001 /data /data
WORKDIR /app
# HOME: gunicorn writes there, and the user below has no home of its own
ENV PATH=/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PORT=8080
USER 10001:10001
EXPOSE 8080
# as a list, without a shell between: SIGTERM reaches gunicorn, which ends what it has begun
ENTRYPOINT ["functions-framework"]
