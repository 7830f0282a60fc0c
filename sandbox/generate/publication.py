"""Generated claims on their way into a topic, beside other work."""

from collections import Counter
from collections.abc import Iterable
from threading import Thread

import click

from sandbox.generate import outputs
from sandbox.synthetic.samples import Sample


class Publication(Thread):
    """Publishes messages; begun with `start()`."""

    def __init__(self, samples: Iterable[Sample], topic: str) -> None:
        super().__init__(name="publication", daemon=True)
        self._samples = samples
        self._topic = topic
        self._failure: Exception | None = None
        self.sent: Counter[str] = Counter()
        """Messages published so far by what the pipeline must do with them."""
        self.complete = False
        """Whether Pub/Sub has taken every message."""

    def run(self) -> None:
        """Publish all."""
        try:
            with outputs.topic(self._topic) as out:
                for sample in self._samples:
                    out.write(sample.data)
                    self.sent[sample.expected] += 1
            self.complete = True
        except Exception as failure:
            self._failure = failure

    def check(self) -> None:
        """Raise click.ClickException if it has failed."""
        if self._failure is not None:
            raise click.ClickException(f"publishing failed: {self._failure}")
