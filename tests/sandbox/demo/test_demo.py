"""`claims demo`: balanced at its end, and gone whatever ends it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from claims_ops.main import claims
from claims_ops.shared import analyst_queries
from claims_ops.shared.message_counts import MessageCounts
from claims_ops.shared.terminal import console
from pipeline.claims.rules import Rules
from sandbox.demo import command as demo_module
from sandbox.demo import progress as demo_progress
from sandbox.demo import summary
from sandbox.demo.local_pipeline import Route
from sandbox.synthetic.samples import messages
from tests.support.docs.pages import ROOT, Page
from tests.support.report_rows import tiles

needs_pubsub = pytest.mark.usefixtures("pubsub_server")  # skipped where it is not installed

MARKER = "CLAIMS_DEMO_TEST"


class Demo:
    """A running `claims demo`, and how to find all that it started."""

    def __init__(self, *arguments: str, temporary: Path, **environment: str) -> None:
        self._mark = uuid.uuid4().hex
        self._temporary = temporary
        self.process = subprocess.Popen(
            [sys.executable, "-m", "claims_ops.main", "demo", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Without a home, as under some schedulers.
            env={k: v for k, v in os.environ.items() if k not in ("HOME", "JAVA_HOME")}
            | {MARKER: self._mark, "TMPDIR": str(temporary)}
            | environment,
        )

    def running(self) -> set[int]:
        """Processes that inherited our mark, the demo itself included."""
        marked = f"{MARKER}={self._mark}".encode()
        found = set()
        for environment in Path("/proc").glob("[0-9]*/environ"):
            try:
                if marked in environment.read_bytes().split(b"\0"):
                    found.add(int(environment.parent.name))
            except OSError:
                pass  # ended meanwhile, or not ours
        return found

    def end(self, seconds: float = 90) -> tuple[int, str, str]:
        """Exit code, stdout and stderr, once it has ended."""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, err

    def left(self) -> list[str]:
        """Processes and files that outlived it."""
        files = [path.name for path in self._temporary.iterdir() if path.name != "made"]
        return files + [f"process {pid}" for pid in self.running()]


def listens(address: str) -> bool:
    host, port = address.removeprefix("http://").split(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


@contextmanager
def run(*arguments: str, temporary: Path, **environment: str) -> Iterator[Demo]:
    started = Demo(*arguments, temporary=temporary, **environment)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.communicate()


def excerpt() -> str:
    """README's abridged output of `make demo`."""
    blocks = Page(ROOT, ROOT / "README.md").blocks()
    [text] = (block.text for block in blocks if block.language == "text")
    return text


@needs_pubsub
def test_every_message_becomes_a_row(tmp_path: Path):
    report = tmp_path / "made" / "report.html"
    shape = ("--claims", "60", "--bad-share", "0.1", "--report", str(report))
    with run(*shape, temporary=tmp_path) as started:
        code, out, err = started.end()
    assert (code, err) == (0, "")
    assert f"\nOpen the report in a browser: {report}\n" in out
    shown = tiles(report.read_text())
    assert (shown["Messages"], shown["Claims scored"], shown["Rejected"]) == ("60", "54", "6")
    assert "\npublished 60 = 54 claims + 6 errors, as expected, in " in out
    titles = [line for line in excerpt().splitlines() if ".sql)" in line]
    assert titles and all(f"\n{title}\n" in out for title in titles)
    assert all(f"(sql/{name}.sql)" in out for name in analyst_queries.NAMES)
    assert "5 of 54 rows" in out
    [providers] = re.findall(r"scored with the profiles of (\d+) providers", out)
    assert int(providers) > 0
    assert "make test" in out and "claims demo --keep" in out
    assert started.left() == []


def test_the_readme_shows_messages_of_the_demo():
    """Of its 2,000; the whole run takes too long for a test."""
    shown = excerpt()
    made = list(messages(2000, 0.05, 1, datetime.now(UTC)))
    [found] = re.findall(r"^(\S+)  (PAT-\d+)  (PRV\d+)  +\$([0-9,.]+) ", shown, re.M)
    claim_id, patient_id, provider_id, amount = found
    [claim] = [json.loads(each.data) for each in made if f'"{claim_id}"'.encode() in each.data]
    assert (claim["patient_id"], claim["provider_id"]) == (patient_id, provider_id)
    assert claim["claim_amount"] == float(amount.replace(",", ""))
    rules = {rule.id for rule in Rules.default().risk}
    reasons = re.findall(
        r"\b[a-z]+(?:_[a-z]+)+\b", shown.partition("risk reasons:")[2].partition("...")[0]
    )
    assert reasons and {*reasons} <= rules
    counts = Counter(each.expected for each in made)
    balance = MessageCounts(2000, counts["accepted"], counts["rejected"])
    assert f"\n{balance}, as expected, in " in shown


@pytest.mark.timeout(200)
def test_with_python_only(tmp_path: Path):
    """No Java, no Docker, no gcloud: an empty PATH. Within three minutes."""
    (tmp_path / "made").mkdir()
    report = tmp_path / "made" / "report.html"
    shape = ("--claims", "60", "--bad-share", "0.1", "--report", str(report))
    with run(*shape, temporary=tmp_path, PATH=str(tmp_path / "made")) as started:
        code, out, err = started.end(180)
    assert (code, err) == (0, "")
    assert (
        out.count(
            "Reading claims from files, because the Pub/Sub emulator cannot start, and Docker"
        )
        == 1
    )
    assert "\nread 60 = 54 claims + 6 errors, as expected, in " in out
    [providers] = re.findall(r"scored with the profiles of (\d+) providers", out)
    assert int(providers) > 0
    assert "\nThe demo ran two file backfills instead of Pub/Sub and a streaming job." in out
    assert tiles(report.read_text())["Messages"] == "60"
    assert started.left() == []


@needs_pubsub
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_stops_all_that_it_started(number: signal.Signals, tmp_path: Path):
    with run("--claims", "5000", temporary=tmp_path) as started:
        for line in started.process.stdout:
            if "published" in line:
                break
        assert len(started.running()) == 7  # itself; servers and pipeline, each on its tether
        started.process.send_signal(number)
        code, _, err = started.end()
    assert code == 128 + number
    assert "Traceback" not in err
    assert started.left() == []


@needs_pubsub
def test_a_pipeline_that_ends_is_told_in_one_line(tmp_path: Path):
    wrong = "--create_tables=false"  # known only to BigQuery
    with run("--claims", "10", "--quiet", "--", wrong, temporary=tmp_path) as started:
        code, _, err = started.end()
    said = err.splitlines()[-1]
    assert code == 1
    assert said.startswith("claims: the pipeline ended with exit code 2: claims: output_table: ")
    log = re.search(r"log is in (\S+)", err)[1]
    assert "claims: output_table:" in Path(log).read_text()
    assert started.running() == set()


@needs_pubsub
def test_kept_it_serves_until_interrupted(tmp_path: Path):
    report = f"--report={tmp_path}/made/report.html"
    with run("--claims", "10", "--keep", report, temporary=tmp_path) as started:
        shown = ""
        for line in started.process.stdout:
            shown += line
            if line.startswith("Run a query"):
                break
        first = shown.partition("paste:\n")[2].partition("\n")[0].strip()
        entered = f"cd / && {first} && command -v claims"
        found = subprocess.run(["bash", "-c", entered], capture_output=True, text=True)
        assert found.stdout == f"{Path(sys.prefix) / 'bin' / 'claims'}\n"
        exports = dict(re.findall(r"export (\w+)=(\S+)", shown))
        hosts = [value for name, value in exports.items() if name.endswith("_HOST")]
        assert len(hosts) == 3 and all(map(listens, hosts))
        assert Path(exports["GOOGLE_APPLICATION_CREDENTIALS"]).exists()
        doctor = re.search(r"^  (claims doctor .*)$", shown, re.M)[1].split()
        healthy = subprocess.run(
            [sys.executable, "-m", "claims_ops.main", *doctor[1:], "--json"],
            env=os.environ | exports,
            capture_output=True,
            text=True,
        )
        assert healthy.returncode == 0, healthy.stdout
        checks = json.loads(healthy.stdout)["checks"]
        assert {check["status"] for check in checks} == {"pass"}
        assert {check["check"] for check in checks} == {
            *("subscription", "dead-letter", "retention", "table"),
        }
        started.process.send_signal(signal.SIGINT)
        code, _, err = started.end()
    assert (code, err) == (0, "Stopping ...\n")
    assert started.left() == []
    assert not any(map(listens, hosts))


def test_help_shows_how():
    shown = CliRunner().invoke(claims, ["demo", "--help"])
    assert shown.exit_code == 0
    assert "claims demo --rules my_rules.json" in shown.output


@pytest.mark.parametrize("found, told", [(None, True), ("/usr/bin/claims", False)])
def test_a_shell_that_does_not_find_the_command_is_told(
    found: str | None, told: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(summary.shutil, "which", lambda name: found)
    assert (". .venv/bin/activate" in summary.next_steps()) is told


@pytest.mark.parametrize(
    "prefix, activated",
    [
        ("{here}/.venv", " && . .venv/bin/activate"),
        ("{up}/my venv", " && . '{up}/my venv/bin/activate'"),
        (None, ""),
    ],
)
def test_the_lines_to_paste_begin_with_the_checkout(
    prefix: str | None, activated: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    here = tmp_path / "checkout"
    monkeypatch.setattr(analyst_queries, "DIRECTORY", here / "sql")
    made = Path(prefix.format(here=here, up=tmp_path) if prefix else tmp_path)
    if prefix:
        here.mkdir()
        (made / "bin").mkdir(parents=True)
        (made / "bin" / "activate").touch()
    monkeypatch.setattr(sys, "prefix", str(made))
    shown = summary.addresses({"A": "1"}, Route("", "", "p.d.claims", "p.d.errors"), "claims-demo")
    lines = shown.partition("paste:\n")[2].split("\n")
    assert lines[:2] == [f"  cd {here}{activated.format(up=tmp_path)}", "  export A=1"]


def test_a_rules_file_that_is_not_there_is_told_before_anything_starts():
    shown = CliRunner().invoke(claims, ["demo", "--rules", "no_such_rules.json"])
    assert shown.exit_code == 2
    assert "no_such_rules.json" in shown.output and "Starting" not in shown.output


def test_outside_a_checkout_one_line_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(analyst_queries, "DIRECTORY", tmp_path)
    shown = CliRunner().invoke(claims, ["demo"])
    assert shown.exit_code == 1
    assert "run the command in a checkout" in shown.output


def test_a_balance_that_is_none_is_not_written_as_one():
    assert str(MessageCounts(10, 8, 2, 1)) == "published 10 = 8 claims + 2 errors"
    assert str(MessageCounts(10, 8, 1, 1)) == "published 10 ≠ 8 claims + 1 error"


def test_a_split_other_than_generated_is_told():
    told = summary.summary(MessageCounts(10, 8, 2, 1), {"accepted": 9, "rejected": 1}, 1.0)
    assert "but the generator produced 9 good and 1 malformed" in told


@pytest.mark.parametrize(
    "claims, complete, error",
    [
        (9, True, "more rows than messages: published 8 ≠ 9 claims"),
        (7, True, "no progress for 0.05 s: published 8 ≠ 7 claims"),
        (8, False, "no progress for 0.05 s: published 8 = 8 claims"),
    ],
)
def test_what_does_not_balance_is_given_up(
    claims: int, complete: bool, error: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(demo_module, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(demo_module, "STALL_SECONDS", 0.05)
    progress = SimpleNamespace(show=lambda balance, waits_for: None)
    profiles = SimpleNamespace(are_made=True, half=4)
    feed = SimpleNamespace(check=lambda: None, sent=Counter(good=8), complete=complete)
    ledger = SimpleNamespace(count=lambda published: MessageCounts(published, claims, 0, 0))
    with pytest.raises(click.ClickException, match=error):
        demo_module._watch(ledger, feed, progress, lambda rows: None, profiles)


@pytest.mark.parametrize(
    "seconds, claims, shown",
    [
        (2, 0, "   2 s  published 8  claims 0  high risk 0  errors 0"),
        (4, 0, "   4 s  published 8  claims 0  high risk 0  errors 0  (waiting for the pipeline)"),
    ],
)
def test_it_says_what_it_waits_for(
    seconds: int, claims: int, shown: str, monkeypatch: pytest.MonkeyPatch, capsys
):
    """All lines count from the start of the demo."""
    moments = iter([100.0])
    monkeypatch.setattr(demo_progress.time, "monotonic", lambda: next(moments, 100.0 + seconds))
    progress = demo_progress.DemoProgress(console(), 100.0, 8)
    progress.show(MessageCounts(8, claims, 0))
    capsys.readouterr()
    progress._next_line = 0
    progress.show(MessageCounts(8, claims, 0), "the pipeline")
    progress.say("Stopping ...")
    assert capsys.readouterr().out == f"{shown}\n   {seconds} s  Stopping ...\n"
