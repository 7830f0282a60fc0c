"""The commands that would undo a deployment: printed, never run, because some delete claims."""

from claims_ops.deployment.names import Deployment
from claims_ops.deployment.plan import PROJECT_ROLES


def commands(to: Deployment) -> list[str]:
    """The commands that remove what the steps made, the harmless ones first."""
    gcloud = f"gcloud --project={to.project}"
    member = f"--member=serviceAccount:{to.worker_account}"
    removed = [
        *(
            f"{gcloud} projects remove-iam-policy-binding {to.project} {member}"
            f" --role={role} --condition=None"
            for role in PROJECT_ROLES
        ),
        f"{gcloud} iam service-accounts delete {to.worker_account}",
    ]
    if to.own_source:
        subscriptions, topics = str(to.subscription), to.topic
        if to.dead_letters:
            subscriptions += f" {to.dead_letter_subscription}"
            topics += f" {to.dead_letter_topic}"
        removed += [
            f"{gcloud} pubsub subscriptions delete {subscriptions}",
            f"{gcloud} pubsub topics delete {topics}",
        ]
    removed.append(f"{gcloud} storage rm --recursive gs://{to.bucket}")
    removed += [
        f"bq rm --recursive --dataset {project}:{dataset}" for project, dataset in to.datasets
    ]
    return removed
