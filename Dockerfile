# One image for the launcher and the workers of the Flex Template. Needs BuildKit, the default of
# Docker 23 and newer (DOCKER_BUILDKIT=1 before).
#
#   docker build --build-arg IMAGE=REPOSITORY/claims:TAG --tag REPOSITORY/claims:TAG .
#
# Build arguments:
#   IMAGE     the name under which workers will find this very image: the one that is pushed
#   VERSION   version of the package     } labels: org.opencontainers.image.*
#   REVISION  commit that it is built of }
#   SOURCE    address of its repository  }
#   PYTHON_IMAGE, BEAM_IMAGE, LAUNCHER_IMAGE   the bases, those of workshop/images.env (`make pin`)

ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm
# Of the same version as apache-beam in requirements.txt.
ARG BEAM_IMAGE=apache/beam_python3.11_sdk:2.77.0
ARG LAUNCHER_IMAGE=gcr.io/dataflow-templates-base/python311-template-launcher-base:20240812-rc01

FROM ${BEAM_IMAGE} AS beam
FROM ${LAUNCHER_IMAGE} AS launcher

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
# Some packages come as source alone. Without isolation they are built with what is locked here,
# not with what pip would download for each.
RUN --mount=type=bind,source=requirements-build.txt,target=requirements-build.txt \
    --mount=type=bind,source=requirements.txt,target=requirements.txt \
    --mount=type=cache,target=/root/.cache/pip \
    python -m pip install --quiet --require-hashes --requirement requirements-build.txt \
    && python -m pip wheel --quiet --require-hashes --no-deps --no-build-isolation \
        --wheel-dir /wheels --requirement requirements.txt \
    && sed '/^ *--hash/d; s/ *\\$//' requirements.txt > /wheels/requirements.txt

FROM build AS package
COPY pyproject.toml README.md LICENSE ./
COPY pipeline pipeline
RUN python -m pip wheel --quiet --no-deps --no-index --no-build-isolation --wheel-dir /wheel .

FROM ${PYTHON_IMAGE} AS packages
RUN --mount=type=bind,from=build,source=/wheels,target=/mnt \
    python -m pip install --quiet --no-cache-dir --no-deps --no-index --find-links /mnt \
        --requirement /mnt/requirements.txt \
    # The official image has removed what it compiled of the standard library.
    && python -m compileall -q -j 0 -x /site-packages/ \
        "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"

FROM packages
COPY --from=beam /opt/apache/beam/boot /opt/apache/beam/boot
COPY --from=launcher /opt/google/dataflow/python_template_launcher /opt/google/dataflow/python_template_launcher
# Alone in its directory, which is the first place where Python looks for modules then.
COPY pipeline/main.py /template/pipeline/main.py
# There is one version of it: that of the stage.
# hadolint ignore=DL3013
RUN --mount=type=bind,from=package,source=/wheel,target=/mnt \
    python -m pip install --quiet --no-cache-dir --no-deps --no-index --find-links /mnt \
        claims-pipeline \
    && python -m pip check

# No FLEX_TEMPLATE_PYTHON_REQUIREMENTS_FILE: with it, Beam downloads all of it at each launch.
ENV FLEX_TEMPLATE_PYTHON_PY_FILE=/template/pipeline/main.py
# Else boot makes a virtual environment at each start of a worker, where root alone may write.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
# boot writes the options of the job to a file in its working directory, and ends where it may not.
# Whoever may write there must not be able to add a module to Python by it.
WORKDIR /tmp
ENV PYTHONSAFEPATH=1
# The launcher as entry point would be started by workers too, and end at once.
ENTRYPOINT ["/opt/apache/beam/boot"]

# Last, because they change with each commit.
ARG IMAGE
ARG VERSION
ARG REVISION
ARG SOURCE
# What --sdk_container_image defaults to (pipeline/launch/worker_image.py).
ENV CLAIMS_IMAGE=${IMAGE}
LABEL org.opencontainers.image.title="claims-pipeline" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.source="${SOURCE}"
