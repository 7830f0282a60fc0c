"""The commands that would undo a deployment: printed, never run, because some delete claims."""

from claims_ops.deployment.names import Deployment
from claims_ops.deployment.plan import project_roles


def of_job(to: Deployment) -> list[str]:
    """The commands that remove what the steps made for this job alone."""
    gcloud = f"gcloud --project={to.project}"
    member = f"--member=serviceAccount:{to.worker_account}"
    removed = [
        *(
            f"{gcloud} projects remove-iam-policy-binding {to.project} {member}"
            f" --role={role} --condition=None"
            for role in project_roles(to)
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
    return removed


def of_all_jobs(to: Deployment) -> list[str]:
    """Those that remove what other jobs may use, too."""
    return [
        f"gcloud --project={to.project} storage rm --recursive gs://{to.bucket}",
        *(f"bq rm --recursive --dataset {project}:{dataset}" for project, dataset in to.datasets),
    ]
