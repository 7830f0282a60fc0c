"""How the demo's messages reach the pipeline: through Pub/Sub, or in files where there is none."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from types import TracebackType

from sandbox.demo.local_pipeline import LocalPipeline, Route
from sandbox.demo.profile_round import ProfileRound
from sandbox.generate import outputs
from sandbox.generate.publication import Publication
from sandbox.synthetic.samples import Sample


class Feed(AbstractContextManager["Feed"]):
    """The messages and the pipeline that reads them; both end with the `with` block."""

    sent: Counter[str]
    """Messages handed over so far, by what the pipeline must do with them."""

    @property
    @abstractmethod
    def complete(self) -> bool:
        """Whether all messages are handed over."""

    @abstractmethod
    def check(self) -> None:
        """Raise click.ClickException if handing over, or the pipeline, has failed."""


class TopicFeed(Feed):
    """A topic, and the streaming job of its subscription."""

    def __init__(
        self,
        samples: Iterator[Sample],
        route: Route,
        profiles: ProfileRound,
        parameters: Sequence[str],
        log: Path,
    ) -> None:
        """Launch the job, and begin to publish."""
        self._pipeline = LocalPipeline(parameters, log)
        self._publication = Publication(profiles.paused(samples), route.topic)
        self._publication.start()
        self.sent = self._publication.sent

    @property
    def complete(self) -> bool:
        """Whether Pub/Sub has taken every message."""
        return self._publication.complete

    def check(self) -> None:
        """As a feed does."""
        self._pipeline.check()
        self._publication.check()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pipeline.stop()


class FilesFeed(Feed):
    """Two files and a backfill of each; the second one starts once there are profiles."""

    def __init__(
        self,
        samples: Iterator[Sample],
        profiles: ProfileRound,
        parameters: Sequence[str],
        log: Path,
    ) -> None:
        """Write the files, and launch the first backfill."""
        self._profiles = profiles
        self._parameters = parameters
        self._log = log
        self.sent = Counter()
        self._second = log.with_name("second.ndjson")
        first = log.with_name("first.ndjson")
        self._write(islice(samples, profiles.half), first)
        self._held = samples
        self._running: LocalPipeline | None = self._launch(first)
        self._is_last = False

    @property
    def complete(self) -> bool:
        """Whether the backfill of the second file runs, or has ended."""
        return self._is_last

    def check(self) -> None:
        """As a feed does; goes on with the second file when it can."""
        if self._running is not None and self._running.has_ended():
            self._running.stop()
            self._running = None
        if self._running is None and not self._is_last and self._profiles.are_made:
            self._write(self._held, self._second)
            self._running = self._launch(self._second)
            self._is_last = True

    def _write(self, samples: Iterator[Sample], path: Path) -> None:
        with outputs.lines(str(path)) as out:
            for sample in samples:
                out.write(sample.data)
                self.sent[sample.expected] += 1

    def _launch(self, path: Path) -> LocalPipeline:
        return LocalPipeline([f"--input_files={path}", *self._parameters], self._log)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._running is not None:
            self._running.stop()
