"""`claims demo`: the whole pipeline on local emulators, until every message is accounted for."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Thread

import click

from claims_ops.shared import analyst_queries
from claims_ops.shared.counted import counted
from claims_ops.shared.interruption import unwinding
from claims_ops.shared.message_counts import MessageCounts, RowCounter
from claims_ops.shared.option_types import MAX_COUNT, Number
from claims_ops.shared.queries import Queries
from claims_ops.shared.terminal import console
from pipeline.claims.tables import TableName
from sandbox.demo import summary
from sandbox.demo.feed import Feed, FilesFeed, TopicFeed
from sandbox.demo.local_pipeline import Route
from sandbox.demo.profile_round import ProfileRound
from sandbox.demo.progress import DemoProgress
from sandbox.emulators.emulators import (
    PROJECT,
    BigqueryServer,
    PubsubServer,
    bigquery_server,
    create_source,
    local_servers,
)
from sandbox.emulators.local_server import ServerError
from sandbox.emulators.pubsub_emulator import PubsubMissing
from sandbox.synthetic.samples import messages

POLL_SECONDS = 1.0
STALL_SECONDS = 60.0
NAME = "claims-demo"
"""As in `claims doctor --name`: it names all that the demo makes."""
_PUBSUB_KINDS = ("topics", "subscriptions")
_DATASET = f"{PROJECT}.{NAME.replace('-', '_')}"


@click.command()
@click.option(
    "--claims",
    "count",
    type=click.IntRange(1, MAX_COUNT),
    default=2000,
    show_default=True,
    help="Number of messages to publish.",
)
@click.option(
    "--bad-share",
    type=Number(0, 1),
    default=0.05,
    show_default=True,
    help="Share of malformed messages, 0 to 1. They cover every kind of error in turn.",
)
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    help="Generator seed; the same seed produces the same claims.",
)
@click.option(
    "--write-method",
    type=click.Choice(["STORAGE_WRITE_API", "STREAMING_INSERTS"]),
    help="How rows are written to BigQuery.  [default: the pipeline's own]",
)
@click.option(
    "--rules",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Your own risk and quality rules (docs/start/rules.md).  [default: the pipeline's own]",
)
@click.option(
    "--keep",
    is_flag=True,
    help="Keep everything running until Ctrl-C so that you can explore it.",
)
@click.option(
    "--report",
    "report_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=analyst_queries.DIRECTORY.parent / "build/report.html",
    show_default="build/report.html in the checkout",
    metavar="FILE",
    help="Where to write the report.",
)
@click.option(
    "--quiet", is_flag=True, help="Print only the final counts: no progress, no queries, no report."
)
@click.argument(
    "parameters", nargs=-1, type=click.UNPROCESSED, metavar="[-- PIPELINE_PARAMETER...]"
)
def demo(
    count: int,
    bad_share: float,
    seed: int,
    write_method: str | None,
    rules: str | None,
    keep: bool,
    report_path: Path,
    quiet: bool,
    parameters: tuple[str, ...],
) -> None:
    """Run the whole pipeline on local emulators.

    Publishes synthetic claims to a Pub/Sub emulator, streams them through the pipeline into a
    BigQuery emulator until every message has become a row, runs the analyst queries, and writes a
    report. Halfway through, it computes provider profiles and scores the second half with them.
    The Pub/Sub emulator needs Docker, or Java and the Google Cloud SDK; without these, the demo
    reads the claims from files. It needs no cloud account and leaves only the report behind.

    \b
    Examples:
      claims demo
      claims demo --claims 500 --bad-share 0.2 --keep
      claims demo --rules my_rules.json
      claims demo -- --claim_schema=my_schema.json --high_risk_threshold=0.3
    """
    started = time.monotonic()
    queries = analyst_queries.load()
    say = (lambda text: None) if quiet else click.echo
    plain = not parameters
    if write_method:
        parameters = (f"--write_method={write_method}", *parameters)
    if rules:
        parameters = (f"--rules={rules}", *parameters)
    if parameters:
        _check(parameters)
    out = console()
    with unwinding(), _log() as log, ExitStack() as running:
        progress = running.enter_context(DemoProgress(out, started, count, quiet=quiet))
        imports = Thread(target=_import_clients, daemon=True)
        imports.start()
        try:
            pubsub, bigquery = running.enter_context(_servers(progress.say))
            names = create_source(pubsub, NAME) if pubsub else ("", "")
        except ServerError as error:
            reason, _, end_of_log = str(error).partition("\n")
            if end_of_log:  # on lines of its own, where an error has one
                click.echo(f"Last lines of the server's log:\n{end_of_log}", err=True)
            raise click.ClickException(reason.partition("; ")[0]) from None
        environment = (pubsub.environment if pubsub else {}) | bigquery.environment
        os.environ.update(environment)
        route = Route(*names, f"{_DATASET}.claims", f"{_DATASET}.errors")
        progress.say("Starting the pipeline on Beam's DirectRunner ...")
        profiles = ProfileRound(log.parent, count, progress.say, is_streaming=bool(pubsub))
        given = [*route.parameters(), *profiles.parameters(), *parameters]
        samples = messages(count, bad_share, seed, datetime.now(UTC))
        feed: Feed = running.enter_context(
            TopicFeed(samples, route, profiles, given, log)
            if pubsub
            else FilesFeed(samples, profiles, given, log)
        )
        imports.join()
        client = running.enter_context(bigquery.client())
        ledger = RowCounter(client, route.claims_table, route.error_table)
        look = partial(
            profiles.look, queries=Queries(client), claims=TableName.parse(route.claims_table)
        )
        progress.handed = "published" if pubsub else "in files"
        balance = _watch(ledger, feed, progress, look, profiles)
        progress.hide()
        for query in () if quiet else queries:
            click.echo(analyst_queries.answer(client, query, route.tables(), out.width))
        totals = summary.summary(balance, feed.sent, time.monotonic() - started)
        click.echo(totals if pubsub else totals.replace("published", "read"))
        providers = counted(profiles.providers, "provider")
        say(f"The second half was scored with the profiles of {providers}.")
        if plain and balance.claims != feed.sent["accepted"]:
            raise click.ClickException(
                "the counts of accepted and rejected messages differ from what was generated"
            )
        if not quiet:
            progress.say("Writing the report ...")
            click.echo(summary.page(client, route, report_path))
        if keep:
            _stay(feed, summary.addresses(environment, route, NAME))
        progress.say("Stopping the emulators and the pipeline ...")
    if not pubsub:
        say("The demo ran two file backfills instead of Pub/Sub and a streaming job.")
    if not (keep or quiet):
        click.echo(summary.next_steps())


@contextmanager
def _servers(say: Callable[[str], None]) -> Iterator[tuple[PubsubServer | None, BigqueryServer]]:
    """The emulators; without that of Pub/Sub where neither Java nor Docker can run it."""
    say("Starting the Pub/Sub and BigQuery emulators ...")
    with ExitStack() as running:
        try:
            both = running.enter_context(local_servers())
        except PubsubMissing as missing:
            say(f"Reading claims from files, because {missing}")
            yield None, running.enter_context(bigquery_server())
        else:
            yield both.pubsub, both.bigquery


def _check(parameters: Sequence[str]) -> None:
    """Refuse what the launch would refuse, before anything is started.

    Raises:
        click.UsageError: names the parameter, and what is wrong with it.
    """
    # Imported here: it brings Beam, which takes seconds.
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipeline.launch import command_line, options, prepare

    topic, subscription = (f"projects/{PROJECT}/{kind}/{NAME}" for kind in _PUBSUB_KINDS)
    route = Route(topic, subscription, f"{_DATASET}.claims", f"{_DATASET}.errors")
    given = [*route.parameters(), *parameters]
    try:
        command_line.refuse_unknown(given)
        prepare.settings(options.check(PipelineOptions(given)))
    except options.ParameterError as error:
        raise click.UsageError(str(error)) from None


def _watch(
    ledger: RowCounter,
    feed: Feed,
    progress: DemoProgress,
    look: Callable[[int], None],
    profiles: ProfileRound,
) -> MessageCounts:
    """Wait until there is a row for every message; `look` hears how many there are.

    Raises:
        click.ClickException: the pipeline ended or stands still, or rows came twice.
    """
    last, moved = None, time.monotonic()
    while True:
        feed.check()
        complete = feed.complete
        balance = ledger.count(feed.sent.total())
        progress.show(balance, _awaited(balance, profiles))
        look(balance.rows)
        if complete and balance.closes:
            return balance
        if complete and balance.rows > balance.published:
            raise click.ClickException(f"more rows than messages: {balance}")
        now = time.monotonic()
        if balance != last:
            last, moved = balance, now
        elif now - moved > STALL_SECONDS:
            raise click.ClickException(f"no progress for {STALL_SECONDS:g} s: {balance}")
        time.sleep(POLL_SECONDS)


def _awaited(balance: MessageCounts, profiles: ProfileRound) -> str:
    """What has to happen before more rows come."""
    if not balance.rows:
        return "the pipeline to start"
    if profiles.are_made and balance.rows == profiles.half:
        return "the second half"
    return "rows in BigQuery"


def _stay(feed: Feed, text: str) -> None:
    """Show the text; return on Ctrl-C."""
    try:
        click.echo(text)
        while True:
            feed.check()
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        click.echo("Stopping ...", err=True)


def _import_clients() -> None:
    """What takes seconds to import, while the servers start."""
    import google.cloud.bigquery
    import google.cloud.pubsub_v1  # noqa: F401 - loads it in time


@contextmanager
def _log() -> Iterator[Path]:
    """The pipeline's log, which is kept if the demo fails."""
    directory = Path(tempfile.mkdtemp(prefix="claims-demo-"))
    log = directory / "pipeline.log"
    failed = False
    try:
        yield log
    except click.ClickException:
        failed = log.exists()
        raise
    finally:
        if failed:
            click.echo(f"The pipeline's log is in {log}", err=True)
        else:
            shutil.rmtree(directory)
