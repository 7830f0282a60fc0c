# Stands in for Beam's image with Beam's own `boot`, the one program that ours takes from it. The
# context is where ../beam.sh keeps it.
FROM scratch
COPY --chmod=755 boot /opt/apache/beam/boot
