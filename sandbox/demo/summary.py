"""What the demo says at its end."""

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from claims_ops.report.command import write
from claims_ops.report.measures import Scope
from claims_ops.shared import analyst_queries
from claims_ops.shared.message_counts import MessageCounts
from claims_ops.shared.queries import Queries
from pipeline.claims.tables import TableName
from sandbox.demo.local_pipeline import Route
from sandbox.emulators.emulators import PROJECT

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

_NEXT = """
Next steps:
  claims demo --keep        the same demo, kept running until Ctrl-C
  claims demo --rules FILE  the same demo with your own rules (docs/start/rules.md)
  claims report --help      a report on your own tables
  claims generate --help    more claims, to a file or a topic
  make test                 the test suite
  README.md                 everything else"""
_ACTIVATE = """
To put `claims` on your PATH:
  . .venv/bin/activate"""


def next_steps() -> str:
    """What to do after the demo; first, where needed, how the shell finds the command."""
    return _NEXT if shutil.which("claims") else _ACTIVATE + _NEXT


def summary(balance: MessageCounts, expected: Mapping[str, int], seconds: float) -> str:
    """The balance, beside what the generator meant its messages to become."""
    if (balance.claims, balance.errors) == (expected["accepted"], expected["rejected"]):
        split = "as expected"
    else:
        split = (
            f"but the generator produced {expected['accepted']} good and {expected['rejected']}"
            " malformed messages"
        )
    return f"{balance}, {split}, in {seconds:.1f} s"


def page(client: "Client", route: Route, path: Path) -> str:
    """Write the report of the run, and say where it is.

    Raises:
        click.ClickException: BigQuery does not answer.
        OSError: the file cannot be written.
    """
    tables = TableName.parse(route.claims_table), TableName.parse(route.error_table)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(Queries(client), Scope(*tables), path)
    here = Path.cwd()
    near = path.relative_to(here) if path.is_relative_to(here) else path
    return f"Open the report in a browser: {near}"


_FROM_PUBSUB = """
  topic         {topic}
  subscription  {subscription}
  claims        {claims}
  errors        {errors}

Check the setup:
  claims doctor --project {project} --name {name}

Publish more claims:
  claims generate --count 500 --rate 50 --topic {topic}
"""
_FROM_FILES = """
  claims        {claims}
  errors        {errors}

Read more claims:
  claims generate --count 500 --seed 2 --output more.ndjson
  {python} -m pipeline.main --runner=DirectRunner --project={project} \\
    --input_files=more.ndjson --output_table={claims} --error_table={errors}
"""


def enter() -> str:
    """The command that enters this checkout and its environment."""
    checkout = analyst_queries.DIRECTORY.parent
    script = Path(sys.prefix) / "bin" / "activate"
    near = script.relative_to(checkout) if script.is_relative_to(checkout) else script
    activate = f" && . {shlex.quote(str(near))}" if script.exists() else ""
    return f"cd {shlex.quote(str(checkout))}{activate}"


def addresses(environment: Mapping[str, str], route: Route, name: str) -> str:
    """How to reach what is running: the environment for clients, names, examples."""
    lines = [enter(), *(f"export {name}={value}" for name, value in environment.items())]
    exports = "\n".join(f"  {line}" for line in lines)
    query = f"SELECT stage, COUNT(*) AS n FROM `{route.error_table}` GROUP BY stage"  # noqa: S608 - our own name
    places = (_FROM_PUBSUB if route.subscription else _FROM_FILES).format(
        topic=route.topic,
        subscription=route.subscription,
        claims=route.claims_table,
        errors=route.error_table,
        project=PROJECT,
        name=name,
        python=sys.executable,
    )
    return f"""
Everything keeps running until you press Ctrl-C. In another terminal, paste:
{exports}
{places}
Run a query:
  {sys.executable} -c 'from google.cloud import bigquery; \\
    print(*bigquery.Client().query_and_wait("{query}"), sep="\\n")'
"""
