"""gcloud and the services it talks to here."""

from tests.support.google.fixtures import apis, cloud_build, dataflow, docker, gcloud, storage

__all__ = ["apis", "cloud_build", "dataflow", "docker", "gcloud", "storage"]
