"""`claims replay` on the emulators: what it publishes, what it leaves, what it records."""

import base64
import functools
import json
import signal
import subprocess
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import click
import pytest
from google.api_core.exceptions import InvalidArgument, NotFound, PermissionDenied
from google.cloud import bigquery
from google.pubsub_v1 import PublisherClient

from claims_ops import main as cli
from claims_ops.replay import republication
from claims_ops.replay import turn as replay_turn
from claims_ops.replay.record import ReplayRecord
from claims_ops.shared.interruption import shielded, unwinding
from pipeline.claims.error_row import error_row, message_columns
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.claims.tables import TableName, errors_table
from pipeline.privacy.redaction import redacted, structure_only
from pipeline.sinks.bigquery.table_setup import TableSetup
from tests.conftest import Feed
from tests.support.pulling import pull_all

pytestmark = pytest.mark.usefixtures("emulated")

NOW = "2026-11-23T12:00:00+00:00"
PUBLISHED = "2026-11-23T11:00:00+00:00"
BROKEN = Rejection("parse", "invalid_json", "the message is not JSON")
INVALID = Rejection("validate", "schema_violation", "claim_id: is required")


class Errors:
    """An error table with rows of the test's choice, and how to run `claims replay` on it."""

    def __init__(self, client: bigquery.Client, dataset: str, feed: Feed) -> None:
        self.name = f"{dataset}.errors"
        self._client, self._feed = client, feed
        TableSetup(client, create=True).ensure(TableName.parse(self.name), errors_table())

    def add(
        self, messages: Iterable[Message], rejection: Rejection = INVALID, now: str = NOW
    ) -> None:
        self.insert([error_row(message, rejection, now) for message in messages])

    def insert(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row.get("raw_bytes") is not None:
                row["raw_bytes"] = base64.b64encode(row["raw_bytes"]).decode()
        assert not self._client.insert_rows_json(self.name, rows)

    def replay(self, *arguments: str) -> int:
        return cli.main(["replay", "--error-table", self.name, *arguments])

    def publish(self, *arguments: str) -> int:
        return self.replay("--topic", self._feed.topic, "--yes", *arguments)

    def pulled(self) -> list[Any]:
        return pull_all(self._feed.subscription)

    def recorded(self) -> list[dict[str, Any]]:
        sql = f"SELECT * FROM `{self.name}_replays` ORDER BY replayed_message_id"
        return [dict(row) for row in self._client.query_and_wait(sql)]


@pytest.fixture
def errors(bigquery_client: bigquery.Client, dataset: str, feed: Feed) -> Errors:
    return Errors(bigquery_client, dataset, feed)


def some(count: int, start: int = 0) -> list[Message]:
    return [
        Message(b'{"n": %d}' % number, f"id-{number}", PUBLISHED, {"source": "test"})
        for number in range(start, start + count)
    ]


def test_messages_come_back_to_the_byte_and_are_recorded(errors: Errors):
    # Names that Google's own client takes for its parameters.
    attributes = {"data": "a", "timeout": "b", "ordering_key": "c", "topic": "d", "é": "ü"}
    messages = [
        Message(b'{"a": "\x00 \xe2\x82\xac"}', "text", PUBLISHED, attributes),
        Message(b"\xff\xfe", "bytes", PUBLISHED, {"k": "v"}),
        Message(b"", "empty", PUBLISHED, {"k": "v"}),
        Message(b" \r\n", "gs://bucket/claims.ndjson:0", None, {}),
        Message(b"x" * 3_000_000, "gzip", PUBLISHED, {}),
        Message(Random(1).randbytes(2_000_000), "noise", PUBLISHED, {}),
    ]
    errors.add(messages)
    assert errors.publish() == 0
    found = {message.attributes["original_message_id"]: message for message in errors.pulled()}
    assert found.keys() == {message.message_id for message in messages}
    for message in messages:
        replay = found[message.message_id]
        assert replay.data == message.data
        history = {"replay_count": "1", "original_message_id": message.message_id}
        if message.publish_time:
            history["original_publish_time"] = message.publish_time
        assert dict(replay.attributes) == message.attributes | history
    recorded = {row["message_id"]: row for row in errors.recorded()}
    assert recorded.keys() == found.keys()
    for message_id, row in recorded.items():
        assert row["replayed_message_id"] == found[message_id].message_id
        assert (row["original_message_id"], row["replay_count"]) == (message_id, 1)
        assert (row["stage"], row["error_code"]) == ("validate", "schema_violation")
        assert row["topic"] == errors._feed.topic


def test_ten_megabytes_come_back_or_are_marked(errors: Errors, capsys):
    size = 9_990_000
    noise = Random(2).randbytes(size)
    errors.add([Message(b"a" * size, "text", PUBLISHED), Message(noise, "noise", PUBLISHED)])
    assert errors.publish() == 0
    [found] = errors.pulled()
    assert found.data == b"a" * size
    assert "truncated" in capsys.readouterr().out


def test_redacted_rows_are_counted_and_left(errors: Errors, capsys):
    errors.add(some(2))
    bare = Message(b"{}", "bare", PUBLISHED)
    errors.insert([redacted(error_row(bare, BROKEN, NOW), bare, ())])
    assert errors.replay("--dry-run") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["stage", "error", "code", "to", "replay", "redacted"] in lines
    assert ["parse", "invalid_json", "0", "1"] in lines
    assert errors.publish() == 0
    assert {found.attributes["original_message_id"] for found in errors.pulled()} == {
        "id-0",
        "id-1",
    }


def test_nothing_is_published_twice_unless_asked(errors: Errors, capsys):
    errors.add(some(3))
    errors.add(some(2))  # the pipeline writes at least once
    assert errors.publish() == 0
    assert len(errors.pulled()) == 3
    assert errors.publish() == 0
    assert errors.pulled() == []
    assert "replayed 0 messages" in capsys.readouterr().out
    assert len(errors.recorded()) == 3
    assert errors.publish("--again") == 0
    assert len(errors.pulled()) == 3


def test_what_failed_again_is_left_until_asked(errors: Errors):
    errors.add(some(2))
    assert errors.publish() == 0
    replays = [
        Message(each.data, each.message_id, NOW, dict(each.attributes)) for each in errors.pulled()
    ]
    errors.add(replays[:1], BROKEN, "2026-11-24T12:00:00+00:00")
    assert errors.publish() == 0
    assert errors.pulled() == []
    assert errors.publish("--max-replays", "2") == 0
    [second] = errors.pulled()
    first = replays[0]
    assert second.data == first.data
    assert second.attributes["replay_count"] == "2"
    for name in ("original_message_id", "original_publish_time"):
        assert second.attributes[name] == first.attributes[name]
    assert errors.publish("--max-replays", "2") == 0
    assert errors.pulled() == []
    counts = {row["message_id"]: row["replay_count"] for row in errors.recorded()}
    assert counts == {"id-0": 1, "id-1": 1, first.message_id: 2}


@pytest.mark.parametrize(
    "filters, expected",
    [
        ([], {0, 1, 2, 3, 4, 5}),
        (["--stage", "parse"], {0, 1}),
        (["--stage", "parse", "--stage", "validate"], {0, 1, 2, 3, 4, 5}),
        (["--error-code", "schema_violation"], {2, 3, 4, 5}),
        (["--message-id", "id-1", "--message-id", "id-4"], {1, 4}),
        (["--since", "2026-11-23T12:00:00Z"], {2, 3, 4, 5}),
        (["--until", "2026-11-23T12:00:00"], {0, 1}),
        (["--since", "2026-11-22", "--until", "2026-11-23"], {0, 1}),
        (["--limit", "3"], {0, 1, 2}),
    ],
)
def test_filters(filters: list[str], expected: set[int], errors: Errors):
    errors.add(some(2), BROKEN, "2026-11-22T12:00:00+00:00")
    errors.add(some(4, start=2))
    assert errors.publish(*filters) == 0
    recorded = [row["message_id"] for row in errors.recorded()]
    assert sorted(recorded) == [f"id-{number}" for number in sorted(expected)]


@pytest.mark.parametrize(
    "filters, code, said",
    [
        (["--stage", "' OR 1=1 --"], 1, "matches the given --stage"),
        (["--message-id", "id-1') OR ('' = '"], 1, "matches the given --stage"),
        (["--error-code", "no_such"], 1, "matches the given --stage"),
        (["--stage", "write", "--dry-run", "--quiet"], 1, "matches the given --stage"),
        (["--error-code", "schema_violations"], 2, "did you mean schema_violation?"),
        (["--stage", "Validate"], 2, "'Validate'; did you mean validate?"),
        (["--since", "2027-01-01"], 0, "matches the given --since and --until"),
    ],
)
def test_filters_that_match_nothing_say_so(
    filters: list[str], code: int, said: str, errors: Errors, capsys
):
    errors.add(some(2))
    assert errors.publish(*filters) == code
    shown = capsys.readouterr()
    assert said in shown.err + shown.out
    assert shown.err.count("\n") == min(code, 1)
    assert errors.pulled() == []


def test_an_empty_error_table_is_no_failure(errors: Errors, capsys):
    assert errors.publish() == 0
    assert f"{errors.name} is empty" in capsys.readouterr().out
    assert errors.publish("--json") == 0
    assert json.loads(capsys.readouterr().out)["asked"] == 0


def test_json_has_causes_and_outcomes(errors: Errors, capsys):
    errors.add(some(2))
    cause = {"stage": "validate", "error_code": "schema_violation", "outcome": "ready"}
    wanted = {"causes": [cause | {"messages": 2}], "asked": 2, "refused_ids": []}
    assert errors.replay("--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == wanted | {"replayed": 0, "outcomes": None}
    assert errors.publish("--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == wanted | {"replayed": 2, "outcomes": {"ready": 2}}


class Picky:
    """Pub/Sub as a topic with a schema has it: one wrong message refuses the whole request."""

    def __init__(self, publish: Any, wrong: set[bytes]) -> None:
        self.publish, self.wrong = publish, wrong
        self.requests: list[int] = []

    def __call__(self, *, messages: list[Any], **given: Any) -> Any:
        self.requests.append(len(messages))
        if any(message.data in self.wrong for message in messages):
            raise InvalidArgument("CANARY in the message does not match the schema")
        return self.publish(messages=messages, **given)


@pytest.fixture
def picky(errors: Errors, monkeypatch: pytest.MonkeyPatch) -> Picky:
    found = Picky(None, set())
    publish = PublisherClient.publish

    def publishing(client: PublisherClient, **given: Any) -> Any:
        found.publish = functools.partial(publish, client)
        return found(**given)

    monkeypatch.setattr(PublisherClient, "publish", publishing)
    return found


def test_a_message_that_pubsub_refuses_does_not_keep_the_others(
    errors: Errors, picky: Picky, capsys
):
    errors.add(some(20))
    picky.wrong = {b'{"n": 3}', b'{"n": 17}'}
    assert errors.publish() == 1
    assert len(errors.pulled()) == len(errors.recorded()) == 18
    shown = capsys.readouterr()
    assert "replayed 18 of 20 messages" in shown.out
    assert "2 refused by Pub/Sub" in shown.out
    ending = "as invalid: id-3, id-17\n", "as invalid: id-17, id-3\n"
    assert shown.err.endswith(ending)
    assert shown.err.count("\n") == 1
    assert "CANARY" not in shown.err + shown.out
    picky.wrong = set()
    assert errors.publish() == 0
    assert len(errors.pulled()) == 2


def test_the_turn_is_kept_while_pubsub_refuses_each_message(
    errors: Errors, picky: Picky, monkeypatch: pytest.MonkeyPatch, capsys
):
    """A batch that is halved down to each of its messages may take longer than a lease."""
    kept: list[float] = []
    monkeypatch.setattr(replay_turn.Turn, "keep", lambda self: kept.append(0))
    messages = some(8)
    errors.add(messages)
    picky.wrong = {message.data for message in messages}
    assert errors.publish() == 1
    assert len(picky.requests) == 15 <= len(kept)


def test_what_went_before_a_failure_of_the_topic_is_recorded(
    errors: Errors, picky: Picky, monkeypatch: pytest.MonkeyPatch
):
    errors.add(some(8))
    picky.wrong = {b'{"n": 3}'}
    call = Picky.__call__

    def ending(self: Picky, **given: Any) -> Any:
        if len(self.requests) == 4:
            raise PermissionDenied("no more")
        return call(self, **given)

    monkeypatch.setattr(Picky, "__call__", ending)
    assert errors.publish() == 1
    assert len(errors.pulled()) == len(errors.recorded())


def test_rows_without_an_id_and_odd_ones_are_counted(errors: Errors, capsys):
    messages = some(5)
    rows = [error_row(message, INVALID, NOW) for message in messages]
    for row, change in zip(
        rows,
        (
            {"message_id": None},
            {"raw_encoding": "zstd"},
            {"raw_size": 3},
            {"attributes": []},
            {"replay_count": -3},
        ),
        strict=True,
    ):
        row.update(change)
    errors.insert(rows)
    assert errors.publish("--max-replays", "5") == 0
    out = capsys.readouterr().out
    assert "replayed 2 of 4 messages" in out
    assert "2 damaged" in out
    assert "without an ID" in out
    assert {each.attributes["original_message_id"] for each in errors.pulled()} == {"id-3", "id-4"}


def test_a_table_of_an_early_version(bigquery_client, dataset: str, feed: Feed, capsys):
    name = f"{dataset}.old"
    bigquery_client.query_and_wait(
        f"CREATE TABLE `{name}` (error_timestamp TIMESTAMP, stage STRING, error_code STRING,"
        " message_id STRING, raw_message STRING, raw_size INT64)"
    )
    row = {"stage": "parse", "error_code": "x", "raw_message": "{", "raw_size": 1}
    row |= {"error_timestamp": NOW, "message_id": "17"}
    assert not bigquery_client.insert_rows_json(name, [row])
    arguments = ["replay", "--error-table", name, "--topic", feed.topic, "--yes"]
    assert cli.main(arguments) == 0
    [found] = pull_all(feed.subscription)
    assert (found.data, found.attributes["original_message_id"]) == (b"{", "17")


class Labels:
    """A table's labels, which change only for who has read the last ones."""

    def __init__(self) -> None:
        self.now: dict[str, str] = {}
        self.before_write: Any = lambda: None

    def relabel(self, table: TableName, change: Any) -> bool:
        read = dict(self.now)
        wanted = {**read, **change(read)}
        self.before_write()
        if self.now != read:
            return False
        self.now = wanted
        return True


RECORD = TableName("p", "d", "errors_replays")


def turn_of(labels: Any, holder: str) -> replay_turn.Turn:
    made = replay_turn.Turn(labels, RECORD, 0.5)
    made._me = holder
    return made


def test_a_table_of_claims_is_no_error_table(
    bigquery_client: bigquery.Client, dataset: str, capsys
):
    columns = [bigquery.SchemaField("claim_id", "STRING")]
    bigquery_client.create_table(bigquery.Table(f"{dataset}.claims", columns))
    assert cli.main(["replay", "--error-table", f"{dataset}.claims", "--dry-run"]) == 2
    lacks = "error_code, error_timestamp, stage"
    said = f"{dataset}.claims is not an error table: it has no columns {lacks}"
    assert capsys.readouterr().err == f"claims: --error-table: {said}\n"


def test_of_two_replays_at_once_the_second_finds_nothing(errors: Errors, capsys, monkeypatch):
    errors.add(some(3))
    add = ReplayRecord.add

    def beside(self: ReplayRecord, *given: Any) -> None:
        with monkeypatch.context() as second:
            second.setattr(replay_turn.socket, "gethostname", lambda: "another")
            assert errors.publish() == 1
        add(self, *given)

    monkeypatch.setattr(ReplayRecord, "add", beside)
    assert errors.publish() == 0
    assert len(errors.pulled()) == 3
    assert "claims: another replay of this error table is running" in capsys.readouterr().err
    monkeypatch.setattr(ReplayRecord, "add", add)
    assert errors.publish("--again") == 0  # the turn was given back


def test_of_two_that_begin_at_once_one_fails():
    labels = Labels()
    first, second = turn_of(labels, "a-1"), turn_of(labels, "b-1")

    def between() -> None:
        labels.before_write = lambda: None
        second.keep()

    labels.before_write = between
    with pytest.raises(click.ClickException, match="has just started"):
        first.keep()
    second.keep()


def test_containers_of_one_name_and_process_number_are_two(monkeypatch: pytest.MonkeyPatch):
    """A job service may call each of its containers localhost, and start the same process in it."""
    labels: Any = Labels()
    monkeypatch.setattr(replay_turn.socket, "gethostname", lambda: "localhost")

    def of_container(number: int) -> replay_turn.Turn:
        monkeypatch.setattr(replay_turn.os, "readlink", lambda path: f"pid:[{number}]")
        return replay_turn.Turn(labels, RECORD, 1.0)

    first, second = of_container(1), of_container(2)
    first.keep()
    with pytest.raises(click.ClickException, match="is running"):
        second.keep()
    monkeypatch.setattr(replay_turn.os, "kill", lambda pid, sign: 1 / 0)
    with pytest.raises(click.ClickException, match="is running"):  # no number of ours
        second.keep()


def test_a_turn_ends_with_its_lease_or_its_process(monkeypatch: pytest.MonkeyPatch):
    labels = Labels()
    now = 1_000.0
    monkeypatch.setattr(replay_turn.time, "time", lambda: now)
    first, second = turn_of(labels, "a-1"), turn_of(labels, "b-1")
    first.keep()
    now += replay_turn.LEASE_SECONDS / 2
    first.keep()  # renewed
    now += replay_turn.LEASE_SECONDS / 2 + 5
    with pytest.raises(click.ClickException, match="try again after 1970-01-01 00:2"):
        second.keep()
    now += replay_turn.LEASE_SECONDS
    second.keep()
    with pytest.raises(click.ClickException, match="is running"):
        first.keep()
    gone = subprocess.Popen(["true"])
    gone.wait()
    here = turn_of(labels, second._me)
    labels.now[replay_turn.HOLDER] = f"{here._host}-{gone.pid}"
    turn_of(labels, "c-1").keep()


def test_dry_run_counts_and_writes_nothing(errors: Errors, bigquery_client, capsys):
    errors.add(some(3))
    errors.add(some(1, start=3), BROKEN)
    errors.add([Message(Random(3).randbytes(7_000_000), "noise")], BROKEN)
    assert errors.replay("--dry-run") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["stage", "error", "code", "to", "replay", "truncated"] in lines
    assert ["validate", "schema_violation", "3", "0"] in lines
    assert ["parse", "invalid_json", "1", "1"] in lines
    assert lines[-1] == ["would", "replay", "4", "messages"]
    assert errors.pulled() == []
    dataset = errors.name.rpartition(".")[0]
    assert [table.table_id for table in bigquery_client.list_tables(dataset)] == ["errors"]


def test_rate_is_kept(errors: Errors, monkeypatch: pytest.MonkeyPatch):
    errors.add(some(5))
    waits: list[float] = []
    monkeypatch.setattr(republication.time, "sleep", waits.append)
    monkeypatch.setattr(republication.time, "monotonic", lambda: 100.0)
    assert errors.publish("--rate", "2") == 0
    assert waits == [1.0, 2.0, 2.5]
    assert len(errors.recorded()) == 5


def test_a_batch_that_is_recorded_is_not_published_again(
    errors: Errors, monkeypatch: pytest.MonkeyPatch, capsys
):
    """What was published when the record failed comes twice, and no more than that."""
    errors.add(some(6))
    add, calls = ReplayRecord.add, []

    def failing(self: ReplayRecord, *arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise cli.click.ClickException("no answer")
        add(self, *arguments)

    monkeypatch.setattr(ReplayRecord, "add", failing)
    assert errors.publish("--rate", "2") == 1
    shown = capsys.readouterr()
    assert "replayed 2 of 6 messages" in shown.out
    assert shown.err.startswith("claims: 2 messages were published but not recorded")
    assert len(errors.pulled()) == 4
    assert errors.publish() == 0
    assert len(errors.pulled()) == 4
    assert len({row["message_id"] for row in errors.recorded()}) == len(errors.recorded()) == 6


def test_a_topic_that_is_not_there_records_nothing(errors: Errors, capsys):
    errors.add(some(1))
    topic = "projects/local-project/topics/nowhere"
    assert errors.replay("--topic", topic, "--yes") == 1
    assert f"claims: cannot publish to {topic}" in capsys.readouterr().err
    assert errors.recorded() == []


def test_who_says_no_publishes_nothing(errors: Errors, monkeypatch, capsys):
    errors.add(some(1))
    terminal = StringIO("n\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin", terminal)
    assert errors.replay("--topic", "projects/local-project/topics/claims", "--quiet") == 1
    shown = capsys.readouterr()
    assert "schema_violation" not in shown.out  # the causes
    assert shown.err.endswith("claims: nothing was published\n")
    with pytest.raises(NotFound):  # nobody has even made the table
        errors.recorded()


@pytest.mark.parametrize(
    "arguments, code",
    [
        (["--yes"], 2),  # no topic
        (["--topic", "projects/p/topics/claims"], 2),  # nobody to be asked
        (["--topic", "claims", "--yes"], 2),
        (["--dry-run", "--since", "yesterday"], 2),
        (["--dry-run", "--max-replays", "0"], 2),
        (["--dry-run", "--error-table", "errors"], 2),
        (["--dry-run", "--error-table", "local-project.nothing.errors"], 1),
    ],
)
def test_called_wrongly_it_says_so_in_one_line(
    arguments: list[str], code: int, errors: Errors, capsys
):
    assert errors.replay(*arguments) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1


def test_a_signal_waits_for_what_is_shielded(tmp_path: Path):
    done = False
    with pytest.raises(KeyboardInterrupt), unwinding():
        with shielded():
            signal.raise_signal(signal.SIGINT)
            done = True
        done = False
    assert done


def test_row_before_a_pseudonym_of_another_key_can_be_replayed_by_its_cause(errors: Errors):
    """As docs/operate/pseudonyms.md says: only the first row is whole."""
    [message] = some(1)
    errors.add([message])
    assert errors.publish() == 0
    [first] = errors.pulled()
    replay = Message(b'{"n": 0}', first.message_id, PUBLISHED, dict(first.attributes))
    foreign = Rejection("validate", "foreign_pseudonym", "patient_id: another key")
    row = error_row(replay, foreign, "2026-11-24T12:00:00+00:00")
    errors.insert([{**row, "raw_bytes": None, **message_columns(structure_only(replay, ()))}])
    assert errors.publish("--again", "--max-replays=9") == 0
    assert errors.pulled() == []
    assert errors.publish("--error-code=schema_violation", "--again") == 0
    [again] = errors.pulled()
    assert again.data == message.data
