# The operator. BASE is any Debian-like image with Python 3.11 or later and venv.
ARG BASE=python:3.11-slim

FROM ${BASE} AS dependencies
ARG PIP_ARGS=""
COPY requirements/runtime.txt /tmp/runtime.txt
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --quiet --no-cache-dir --no-compile ${PIP_ARGS} --require-hashes -r /tmp/runtime.txt \
 && rm -rf /opt/venv/lib/python3*/site-packages/pip* /opt/venv/lib/python3*/site-packages/setuptools*

FROM ${BASE}
COPY --from=dependencies /opt/venv /opt/venv
COPY operator/integration_operator /app/integration_operator
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
RUN python3 -m compileall -q /app
USER 65532:65532
ENTRYPOINT ["python3", "-m", "integration_operator.main"]
