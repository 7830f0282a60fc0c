"""Commands where the shell, the network or the values are not as they should be."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from google.cloud import bigquery

from claims_ops import main as cli
from claims_ops.deployment import gcloud
from claims_ops.doctor.setup import EMULATORS
from claims_ops.profiles import command as profiles
from claims_ops.replay import republication
from claims_ops.shared import queries
from pipeline import clients, loopback
from sandbox.generate import outputs
from tests.conftest import Feed
from tests.support.pulling import pull_all

CLAIMS = f"{sys.executable} -m claims_ops.main"
TABLES = ("--output-table=my-project.d.claims", "--error-table=my-project.d.errors")
REPLAY = ("replay", "--error-table=my-project.d.errors", "--dry-run")
RECONCILE = ("reconcile", *TABLES, "--published=1")
REPORT = ("report", *TABLES)


@pytest.mark.parametrize(
    "command, code",
    [
        ("generate --count 5 >&-", cli.NOBODY_READS),
        ("generate --count 5 >&- 2>&- <&-", cli.NOBODY_READS),
        ("--version >&-", cli.NOBODY_READS),
        ("generate --count 5 --output /dev/null 2>&- <&-", 0),
        ("generate --count 200000 | head -1 > /dev/null; exit ${PIPESTATUS[0]}", cli.NOBODY_READS),
        ("replay --error-table my-project.d.e --topic projects/p/topics/t <&-", 2),
    ],
)
def test_closed_streams_end_quietly(command: str, code: int):
    ended = subprocess.run(["bash", "-c", f"{CLAIMS} {command}"], capture_output=True, text=True)
    assert ended.returncode == code
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("\n") <= 1


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_no_character_of_ours_ends_a_command(encoding: str):
    script = "import sys, claims_ops.main as m; m._open_streams(); print('1 ≠ 2'); print('│')"
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        capture_output=True,
    )
    assert (ended.returncode, ended.stdout.split()) == (0, [b"1", b"?", b"2", b"?"])


@pytest.mark.parametrize(
    "arguments",
    [
        (*REPLAY, "--since=0001-01-01T00:00:00+14:00"),
        (*REPLAY, "--until=9999-12-31T23:59:59-14:00"),
        (*REPLAY, "--since=2026-11-24", "--until=2026-11-23"),
        (*REPLAY, "--rate=inf"),
        (*REPLAY, "--rate=nan"),
        (*REPLAY, "--rate=1e-300"),
        (*REPLAY, "--rate=1e300"),
        (*REPLAY, f"--limit={10**30}"),
        (*REPLAY, f"--max-replays={10**30}"),
        (*RECONCILE, "--since=2026-11-24", "--until=2026-11-24"),
        ("reconcile", *TABLES, f"--published={10**30}"),
        (*REPORT, "--since=0001-01-01T00:00:00+14:00"),
        ("generate", "--bad-share=nan"),
        ("generate", "--variants=nan"),
        ("generate", "--rate=inf"),
        ("generate", "--rate=1e-300"),
        ("generate", f"--count={10**30}"),
        ("generate", "--duration=0s"),
        ("generate", "--duration=0.0000h"),
        ("generate", f"--duration={'9' * 400}h"),
        ("generate", "--duration=8761h"),
        ("generate", "--now=0001-01-01"),
        ("generate", "--now=9999-12-31"),
        ("demo", "--bad-share=nan"),
        ("demo", f"--claims={10**30}"),
        ("doctor", "--project=my-project", "--timeout=1e300"),
        ("doctor", "--project=my-project", "--timeout=nan"),
        ("deploy", "--project=my-project", "--max-workers=0"),
    ],
    ids=lambda arguments: " ".join(arguments)[:80],
)
def test_a_value_beyond_reason_is_refused_where_it_is_read(arguments: tuple[str, ...], capsys):
    assert cli.main(list(arguments)) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    name, _, _ = arguments[-1].partition("=")
    assert name in shown.err


@pytest.fixture
def logged_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine where nobody ran the command that logs in."""
    for name in (*EMULATORS.values(), "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    clients.storage_client.cache_clear()
    yield
    clients.storage_client.cache_clear()


@pytest.mark.usefixtures("logged_out")
@pytest.mark.parametrize(
    "arguments",
    [
        REPLAY,
        RECONCILE,
        REPORT,
        ("generate", "--count=1", "--topic=projects/my-project/topics/t"),
        ("tables", "--project=my-project"),
        ("profiles", TABLES[0], "--to=x"),
        ("query", "claims_today", TABLES[0]),
        ("backtest", TABLES[0]),
    ],
    ids=lambda arguments: arguments[0],
)
def test_without_a_login_each_command_names_the_one_that_logs_in(arguments, capsys):
    assert cli.main(list(arguments)) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.endswith(": not logged in; run: gcloud auth application-default login")


@pytest.mark.usefixtures("logged_out")
@pytest.mark.parametrize(
    "use",
    [
        lambda: republication.Republication("projects/p/topics/t", None, 1, lambda: None),
        lambda: profiles._put("gs://my-bucket/x.csv", b""),
    ],
    ids=["replay to a topic", "profiles to a bucket"],
)
def test_so_do_the_services_that_a_command_uses_later(use):
    with pytest.raises(click.ClickException, match=f"not logged in; run: {clients.LOGIN}$"):
        use()


FIRST, LAST = ("--since=0001-01-01", "--until=9999-12-31T23:59:59.999999")


@pytest.mark.usefixtures("emulated")
@pytest.mark.parametrize("command", ["replay", "reconcile", "report"])
def test_the_first_and_the_last_moment_are_moments(
    command: str, bigquery_client: bigquery.Client, dataset: str, tmp_path: Path, capsys
):
    from tests.claims_ops.reconcile.test_reconcile import Tables

    Tables(bigquery_client, dataset)
    tables = [f"--output-table={dataset}.claims", f"--error-table={dataset}.errors"]
    given = {
        "replay": ["replay", tables[1], "--dry-run"],
        "reconcile": ["reconcile", *tables, "--published=0"],
        "report": ["report", *tables, f"--output={tmp_path}/report.html"],
    }
    assert cli.main([*given[command], FIRST, LAST]) == 0, capsys.readouterr().err


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PATIENCE_SECONDS", 1.0)
    monkeypatch.setattr(queries, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(queries, "EMULATED_SECONDS", 0.5)
    monkeypatch.setattr(republication, "GIVE_UP_SECONDS", 1.0)
    monkeypatch.setattr(outputs, "GIVE_UP_S", 1.0)


def test_all_waiting_is_less_than_a_minute():
    assert queries.PATIENCE_SECONDS + 2 * queries.ANSWER_SECONDS < 60
    assert republication.GIVE_UP_SECONDS < 60
    assert outputs.GIVE_UP_S < 60


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("where", ["silent", "closed"])
@pytest.mark.parametrize("arguments", [REPLAY, RECONCILE, REPORT], ids=lambda given: given[0])
def test_bigquery_that_does_not_answer_is_one_line(
    arguments: tuple[str, ...], where: str, silent: str, monkeypatch: pytest.MonkeyPatch, capsys
):
    address = silent if where == "silent" else "127.0.0.1:1"
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", address)
    began = time.monotonic()
    assert cli.main(list(arguments)) == 1
    assert time.monotonic() - began < 20  # of a machine with much to do
    err = capsys.readouterr().err
    assert err.startswith("claims: BigQuery")
    assert err.count("\n") == 1


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("where", ["silent", "closed"])
def test_pubsub_that_does_not_answer_is_one_line(
    where: str, silent: str, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", silent if where == "silent" else "127.0.0.1:1")
    arguments = ["generate", "--count=3", "--quiet", "--topic=projects/p/topics/t"]
    began = time.monotonic()
    assert cli.main(arguments) == 1
    assert time.monotonic() - began < 20
    err = capsys.readouterr().err
    assert err.startswith("claims: cannot publish to projects/p/topics/t")
    assert err.count("\n") == 1


@pytest.mark.usefixtures("emulated")
def test_loopback_never_goes_through_a_proxy(
    feed: Feed, dataset: str, monkeypatch: pytest.MonkeyPatch, capsys
):
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "example.com")
    monkeypatch.setattr(queries, "PATIENCE_SECONDS", 5.0)
    assert cli.main(["generate", "--count=3", "--quiet", f"--topic={feed.topic}"]) == 0
    assert len(pull_all(feed.subscription)) == 3
    assert cli.main(["replay", f"--error-table={dataset}.errors", "--dry-run"]) == 1
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    "given, expected",
    [
        ({}, "localhost,127.0.0.1,127.0.0.0/8,::1"),
        ({"NO_PROXY": "a.b"}, "a.b,localhost,127.0.0.1,127.0.0.0/8,::1"),
        ({"no_proxy": "a.b,localhost"}, "a.b,localhost,127.0.0.1,127.0.0.0/8,::1"),
    ],
)
def test_what_was_not_proxied_before_is_not_now(given, expected: str, monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("no_grpc_proxy", "c.d")
    for _ in range(2):  # again is the same
        loopback.bypass_proxies()
        assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == expected
    assert os.environ["no_grpc_proxy"].startswith("c.d,localhost,")


@pytest.mark.parametrize(
    "printed",
    [
        "ya29.CANARY-0123456789_abc\n",
        "ya29.CANARY-0123456789_abc\nUpdates are available for some components.\n",
        "WARNING: this is new\r\nya29.CANARY-0123456789_abc\r\n",
    ],
)
def test_a_token_is_one_line_of_what_gcloud_prints(printed: str, monkeypatch):
    monkeypatch.setattr(gcloud, "_output", lambda command, seconds: printed)
    assert gcloud.access_token() == "ya29.CANARY-0123456789_abc"


def test_without_a_token_nothing_of_the_output_is_shown(monkeypatch):
    monkeypatch.setattr(gcloud, "_output", lambda command, seconds: "CANARY CANARY\n")
    with pytest.raises(gcloud.StepFailed) as failure:
        gcloud.access_token()
    assert "CANARY" not in str(failure.value)


ID_FILES: dict[str, Any] = {
    "byte order mark": ("\ufeff1\r\n2\n".encode(), 0, "published 2 = 2 claims + 0 errors"),
    "UTF-16": ("1\n2\n".encode("utf-16"), 2, "--message-ids: the file is not UTF-8 text"),
    "Latin-1": ("1\nä\n".encode("latin-1"), 2, "--message-ids: the file is not UTF-8 text"),
}


@pytest.mark.usefixtures("emulated")
@pytest.mark.parametrize("content, code, said", ID_FILES.values(), ids=ID_FILES)
def test_encoding_of_message_ids(
    content: bytes, code: int, said: str, bigquery_client, dataset: str, tmp_path: Path, capsys
):
    from tests.claims_ops.reconcile.test_reconcile import Tables

    tables = Tables(bigquery_client, dataset)
    tables.claims("1", "2")
    path = tmp_path / "ids"
    path.write_bytes(content)
    assert tables.reconcile("--message-ids", str(path)) == code
    shown = capsys.readouterr()
    assert said in shown.out + shown.err
    assert shown.err.count("\n") == (code != 0)


PARAMETERS = {
    "byte order mark": (b'\xef\xbb\xbf{"high_risk_threshold": "7"}', "high_risk_threshold"),
    "UTF-16": ('{"rules": "x"}'.encode("utf-16"), "is not UTF-8 text"),
    "twice": (b'{"rules": "a", "rules": "b"}', "contains the key 'rules' more than once"),
    "deep": (b"[" * 100_000, "is not JSON"),
}


@pytest.mark.parametrize("content, said", PARAMETERS.values(), ids=PARAMETERS)
def test_parameters_file(content: bytes, said: str, tmp_path: Path, capsys):
    path = tmp_path / "parameters.json"
    path.write_bytes(content)
    assert cli.main(["doctor", "--project=my-project", f"--parameters-file={path}"]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
