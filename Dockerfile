# Build:  docker build -t entrepot .
# Run:    docker run -d -p 5000:5000 -v entrepot:/var/lib/entrepot entrepot
# Both stages must come from the same image: the environment is copied between them.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
RUN python3 -m venv /opt/entrepot
COPY requirements.lock ./
RUN /opt/entrepot/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --no-compile \
      --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY server server
COPY config config
# Nothing can be compiled where the root is read-only, and the health check starts Python each time.
# Without time stamps in it, the bytecode is the same at every build.
RUN /opt/entrepot/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --no-compile \
      --no-deps --no-build-isolation . \
 && /opt/entrepot/bin/pip uninstall --quiet --yes setuptools pip \
 && /opt/entrepot/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/entrepot/lib

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/entrepot --shell /usr/sbin/nologin entrepot \
 && install -d -o entrepot -g entrepot -m 0755 /var/lib/entrepot
COPY --from=build /opt/entrepot /opt/entrepot
ENV PATH=/opt/entrepot/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER entrepot
VOLUME /var/lib/entrepot
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["entrepot", "health"]
ENTRYPOINT ["entrepot"]
CMD ["serve"]
