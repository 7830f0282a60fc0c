# Stands in for the image of the Cloud SDK's emulators: Google's own Pub/Sub emulator, started by the
# same command line. The context is the folder of its jar in a Cloud SDK; BASE is any Debian.

ARG BASE
FROM ${BASE}
# hadolint ignore=DL3008
RUN mkdir -p /usr/share/man/man1 && apt-get update \
    && apt-get install --yes --no-install-recommends default-jre-headless \
    && rm -rf /var/lib/apt/lists/*
COPY cloud-pubsub-emulator-*-all.jar /emulator.jar
# gcloud beta emulators pubsub start [--project=P] --host-port=HOST:PORT
# hadolint ignore=SC2016
RUN printf '%s\n' '#!/bin/sh' 'for option; do case $option in --host-port=*) at=${option#*=} ;; esac; done' \
        'exec java -jar /emulator.jar --host="${at%:*}" --port="${at##*:}"' > /usr/local/bin/gcloud \
    && chmod 755 /usr/local/bin/gcloud
