"""`claims generate`: its messages, its outputs, its options."""

import gzip
import json
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest

from claims_ops.main import main
from pipeline.claims.contract import Contract
from sandbox.generate import outputs
from sandbox.synthetic.malformed import kinds
from sandbox.synthetic.samples import Sample, messages
from sandbox.synthetic.spellings import WIRE_VARIANTS

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
KINDS = kinds(Contract.default())
REPEATABLE = ["generate", "--count", "400", "--bad-share", "0.25", "--now", "2026-11-23T08:00:00Z"]


def test_same_arguments_give_the_same_messages() -> None:
    def run(seed: int) -> list[Sample]:
        return list(messages(500, 0.2, seed, NOW, 0.2))

    assert run(1) == run(1)
    assert run(1) != run(2)


@pytest.mark.parametrize("count, share", [(2000, 0.05), (1000, 0.29), (79, 1.0), (50, 0.0)])
def test_bad_share_is_exact(count: int, share: float) -> None:
    sample = list(messages(count, share, 1, NOW))
    assert len(sample) == count
    assert sum(s.expected == "rejected" for s in sample) == round(count * share)


def test_every_kind_occurs_as_soon_as_there_is_room() -> None:
    share = 0.05
    count = int(len(KINDS) / share)
    found = Counter(s.kind for s in messages(count, share, 1, NOW) if s.expected == "rejected")
    assert found == Counter(KINDS.keys())


def test_messages_without_count_do_not_end() -> None:
    assert len(list(islice(messages(None, 0.1, 1, NOW), 1500))) == 1500


def test_good_messages_parse_and_name_their_variant() -> None:
    seen = set()
    for sample in messages(4000, 0.1, 1, NOW, variants=0.5):
        if sample.expected == "accepted":
            seen.add(sample.kind)
            text = sample.data.removeprefix(b"\xef\xbb\xbf")
            assert isinstance(orjson.loads(text), dict)
    assert seen == {None, *WIRE_VARIANTS}


def test_fields_that_only_the_contract_knows_come_from_its_examples() -> None:
    document = json.loads(Contract.default().text)
    document["properties"]["network"] = {"type": ["string", "null"], "examples": ["IN", "OUT"]}
    document["properties"]["plan"] = {"type": ["string", "null"]}
    contract = Contract(json.dumps(document))
    sample = [orjson.loads(s.data) for s in messages(50, 0.0, 1, NOW, 0.0, contract=contract)]
    assert {claim["network"] for claim in sample} == {"IN", "OUT"}
    assert not any("plan" in claim for claim in sample)


def test_lines_on_stdout(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(REPEATABLE) == 0
    out, err = capsysbinary.readouterr()
    lines = out.split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == 400
    assert err.startswith(b"400 messages (100 malformed) in ")
    assert err.count(b"\n") == 1


def test_file_gz_and_stdout_hold_the_same(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    plain, zipped, again = (tmp_path / name for name in ("a.ndjson", "a.ndjson.gz", "b.gz"))
    main(REPEATABLE)
    expected = capsysbinary.readouterr().out
    for path in (plain, zipped, again):
        assert main([*REPEATABLE, "--output", str(path)]) == 0
    assert plain.read_bytes() == expected
    assert gzip.decompress(zipped.read_bytes()) == expected
    assert zipped.read_bytes() == again.read_bytes()
    assert capsysbinary.readouterr().out == b""


def test_quiet_says_nothing_but_the_messages(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["generate", "--count", "3", "--quiet"]) == 0
    out, err = capsysbinary.readouterr()
    assert (out.count(b"\n"), err) == (3, b"")


def test_rate_and_duration(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    start = time.monotonic()
    assert main(["generate", "--rate", "50", "--duration", "0.5s"]) == 0
    assert time.monotonic() - start >= 0.5
    assert 15 <= capsysbinary.readouterr().out.count(b"\n") <= 25


@pytest.mark.parametrize(
    "arguments",
    [
        ["--count", "0"],
        ["--count", "many"],
        ["--bad-share", "1.5"],
        ["--rate", "0"],
        ["--duration", "5 minutes"],
        ["--now", "yesterday"],
        ["--topic", "claims"],
        ["--topic", "projects/p/topics/t", "--output", "-"],
        ["--unknown"],
        ["surplus"],
    ],
    ids=" ".join,
)
def test_wrong_option_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert arguments[0] in err


def test_file_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "missing" / "claims.ndjson")
    assert main(["generate", "--output", path]) == 1
    assert capsys.readouterr().err == f"claims: {path}: No such file or directory\n"


def test_reader_that_stops_ends_it_quietly() -> None:
    command = [sys.executable, "-m", "claims_ops.main", "generate", "--duration", "20s"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith(b"{")
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


class _Publisher:
    """Stands in for the Pub/Sub publisher: takes all, confirms at the end."""

    def __init__(self) -> None:
        self.published: list[bytes] = []
        self.finished = False

    def write(self, data: bytes) -> None:
        self.published.append(data)

    def flush(self) -> None:
        pass

    def finish(self) -> None:
        self.finished = True


def test_topic_gets_the_messages_untouched(monkeypatch: Any, capsys: Any) -> None:
    publisher = _Publisher()
    monkeypatch.setattr(outputs, "_Topic", lambda name: publisher)
    arguments = [*REPEATABLE, "--variants", "1", "--topic", "projects/p/topics/t"]
    assert main(arguments) == 0
    assert publisher.published == [s.data for s in messages(400, 0.25, 1, NOW, 1.0)]
    assert publisher.finished
    assert any(b"\n" in data for data in publisher.published)
    assert capsys.readouterr().out == ""
