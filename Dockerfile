FROM python:3.13-slim-trixie AS base


FROM base AS build

RUN python -m venv --without-pip /opt/venv
COPY requirements.lock /build/
# Wheels only: installing must not run anyone's build script.
RUN pip --python /opt/venv/bin/python install --no-cache-dir --only-binary :all: \
        --require-hashes -r /build/requirements.lock

WORKDIR /app
COPY allthing allthing
COPY migrations migrations
COPY wsgi.py gunicorn.conf.py ./
# A checkout made under a strict umask must still be readable by appuser.
RUN chmod -R a+rX,go-w . && python -m compileall -q .


FROM base

# docker build --build-arg REVISION="$(git rev-parse HEAD)" …
ARG REVISION=""
LABEL org.opencontainers.image.title="allthing-api" \
      org.opencontainers.image.version="0.2.0" \
      org.opencontainers.image.revision="$REVISION"

# Nothing is installed at run time, so pip goes. The slim image ships no .pyc and appuser can't
# write any: not made here, every start and every health check would compile the library again.
RUN pip uninstall --yes --quiet --root-user-action=ignore pip \
    && python -m compileall -q /usr/local/lib/python3.*/

# A fixed uid, so that a volume keeps its owner when the image is rebuilt.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin appuser \
    && install --directory --owner=appuser --group=appuser /data

COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app

ENV PATH=/opt/venv/bin:$PATH \
    PORT=8080 \
    FLASK_APP=wsgi \
    INSTANCE_PATH=/data

WORKDIR /app
USER appuser
EXPOSE 8080
# The embedded database stays writable when the root is read-only.
VOLUME /data

# http.client, because urllib would obey http_proxy. Connecting and reading may take 4 s each, so
# the probe gives up by itself before Docker kills it at 10 s.
HEALTHCHECK --interval=30s --timeout=10s --start-period=5s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', os.environ['PORT'], timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]

CMD ["gunicorn", "wsgi:app"]
