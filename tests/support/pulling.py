"""Pulls what is in a subscription of the Pub/Sub emulator."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from google.api_core.exceptions import DeadlineExceeded
from google.pubsub_v1 import PubsubMessage, SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

QUIET_SECONDS = 1.0


@contextmanager
def subscriber() -> Iterator[SubscriberClient]:
    """A client of the emulator that the environment names."""
    # Google's client takes no more than 4 MB at a time from the emulator.
    options = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(os.environ["PUBSUB_EMULATOR_HOST"], options) as channel:
        yield SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))


def pull_all(subscription: str, wanted: int | None = None) -> list[PubsubMessage]:
    """Pull and acknowledge: `wanted` messages, or until none has come for `QUIET_SECONDS`."""
    found: list[PubsubMessage] = []
    with subscriber() as client:
        while wanted is None or len(found) < wanted:
            try:
                answer = client.pull(
                    subscription=subscription,
                    max_messages=1000,
                    retry=None,
                    timeout=QUIET_SECONDS if wanted is None else 10,
                )
            except DeadlineExceeded:
                break
            if not answer.received_messages:
                break
            found += (each.message for each in answer.received_messages)
            acks = [each.ack_id for each in answer.received_messages]
            client.acknowledge(subscription=subscription, ack_ids=acks)
    return found
