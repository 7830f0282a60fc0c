"""`claims check` judges as the pipeline does, says where, shows no value unasked, and is fast."""

import bz2
import gzip
import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from claims_ops import main as cli
from claims_ops.check.judgement import Documents, causes_of, judge
from claims_ops.shared import message_files
from claims_ops.shared.message_files import Placed, batches, messages
from pipeline.claims.contract import Contract
from pipeline.claims.formats.delimited import Dialect
from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.message import Message
from pipeline.claims.rules import Rules
from pipeline.claims.stages import through
from pipeline.settings import Settings
from tests.claims.formats.x12_files import interchange
from tests.claims.mapping.map_cases import examples
from tests.support import hostile_corpus
from tests.support.claims.core import CLEAN

CONTRACT, RULES = Contract.default(), Rules.default()
PIPELINE = Settings(CONTRACT, RULES, 0.5, "0.0.0")


def figures(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, Any]:
    """Exit code and JSON of a run."""
    code = cli.main(["check", "--json", *map(str, arguments)])
    return code, json.loads(capsys.readouterr().out)


def test_it_judges_as_the_pipeline_does(tmp_path: Path):
    """The whole hostile corpus, of which tests/whole/hostile says what must become of each."""
    path, entries = tmp_path / "corpus.ndjson", hostile_corpus.entries()
    path.write_bytes(b"".join(entry.data + b"\n" for entry in entries))
    placed = list(messages(str(path), "JSON", Dialect()))
    judgement = judge(placed, Documents(CONTRACT, RULES, None, "JSON"))
    stages = list(PIPELINE.stages(lambda: "2026-11-23T12:00:00.000+00:00"))
    ours = through(stages, [each.message for each in placed])
    assert (judgement.claims, judgement.rejected) == (len(ours.outcomes), len(ours.rejected))
    assert judgement.causes == Counter(
        cause for _, why in ours.rejected for cause in causes_of(why)
    )


@pytest.mark.parametrize("name", sorted({each.map_name for each in examples()}))
def test_it_maps_as_the_pipeline_does(name: str):
    found = [
        message._replace(message_id=f"{place}-{message.message_id}")
        for place, each in enumerate(examples())
        for message in each.messages()
        if each.map_name == name
    ]
    claim_map = ClaimMap.packaged(name)
    placed = [Placed(str(message.message_id), message) for message in found]
    judgement = judge(placed, Documents(CONTRACT, RULES, claim_map, "JSON"))
    settings = replace(PIPELINE, claim_map=claim_map)
    ours = through(list(settings.stages(lambda: "2026-11-23T12:00:00.000+00:00")), found)
    assert (judgement.claims, judgement.rejected) == (len(ours.outcomes), len(ours.rejected))


def test_the_name_of_a_file_does_not_make_it_x12(tmp_path: Path, capsys):
    """The claims of such a file went through the map of X12, and were rejected."""
    path = tmp_path / "one claim 1.ndjson"
    path.write_text(json.dumps(CLEAN))
    assert figures(capsys, path)[1]["claims"] == 1


def test_counts_causes_and_places(tmp_path: Path, capsys):
    path = tmp_path / "claims.ndjson"
    lines = [CLEAN, {**CLEAN, "claim_amount": -1}, "[", {**CLEAN, "claim_amount": 6000}]
    path.write_text("\n".join(each if each == "[" else json.dumps(each) for each in lines))
    code, found = figures(capsys, path)
    assert code == 1
    assert (found["messages"], found["claims"], found["rejected"]) == (4, 2, 2)
    assert {(each["error_code"], tuple(each["first"])) for each in found["causes"]} == {
        ("schema_violation", (f"{path}:2",)),
        ("invalid_json", (f"{path}:3",)),
    }
    assert found["risk_rules"] == {"high_amount": 1}
    assert cli.main(["check", str(path)]) == 1
    text = capsys.readouterr().out
    assert "4 messages: 2 claims accepted, 2 rejected" in text
    assert f"first at {path}:2" in text


def test_formats_are_told_by_what_is_in_the_files(tmp_path: Path, capsys):
    files = {
        "a": interchange("P", range(3)),
        "b.csv": b"claim_id,x\n1,2\n3\n",
        "c.json": json.dumps(CLEAN, indent=2).encode(),
        "d.json": b'{\n"a": ',
        "e.csv": b"ISA_ID,claim_id\n1,2\n",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    code, found = figures(capsys, tmp_path / "a")
    assert (code, found["claims"]) == (0, 3)
    code, found = figures(capsys, tmp_path / "b.csv")
    assert {each["error_code"]: each["first"] for each in found["causes"]} == {
        "schema_violation": [f"{tmp_path}/b.csv:2"],
        "ragged_row": [f"{tmp_path}/b.csv:3"],
    }
    _, found = figures(capsys, tmp_path / "e.csv")
    assert {each["error_code"] for each in found["causes"]} == {"schema_violation"}
    code, found = figures(capsys, tmp_path / "c.json")
    assert (code, found["claims"]) == (0, 1)
    assert cli.main(["check", str(tmp_path / "d.json")]) == 1
    assert "neither a single JSON document nor one per line" in capsys.readouterr().err


MONEY = '{"claim_id": no, "claim_amount": $money(amount)}'
FHIR = {"resourceType": "Claim", "id": "secret"}
WITHOUT_ITEMS = "{" + ", ".join(f'"{name}": {name}' for name in CLEAN) + "}"


@pytest.mark.parametrize(
    ("text", "its_map", "hints"),
    [
        (json.dumps([CLEAN]), None, ["is not a claim. Write each claim on a line of its own"]),
        (
            json.dumps([CLEAN], indent=1),
            None,
            ["is not a claim. Write each claim on a line of its own"],
        ),
        (json.dumps([{"no": "secret"}]), '{"claim_id": id}', ["Begin the map with `$.{`"]),
        (json.dumps({"no": "secret"}), None, ["do not have the shape"]),
        (
            json.dumps({"claims": [CLEAN]}, indent=1),
            None,
            ["A backfill reads each", "do not have the shape"],
        ),
        (json.dumps(CLEAN, indent=1), None, ["A backfill reads each line as a message"]),
        (json.dumps(FHIR), None, ["FHIR R4 Claim, pass --map fhir_r4_claim."]),
        ('{"no": "secret", "amount": "6 secret"}', MONEY, ["$money takes a number, a string"]),
        (json.dumps({**CLEAN, "claim_amount": -1}), None, []),
        (json.dumps([CLEAN, CLEAN]), "$", []),
        (json.dumps(FHIR), "[]", ["The map skipped every document"]),
        (json.dumps([CLEAN, CLEAN], indent=1), "$", ["A backfill reads each line as a message"]),
        (json.dumps([CLEAN, CLEAN]), WITHOUT_ITEMS, ["Begin the map with `$.{`"]),
    ],
)
def test_what_to_do_is_said_once(
    text: str, its_map: str | None, hints: list[str], tmp_path: Path, capsys
):
    path, own = tmp_path / "claims.json", tmp_path / "own.jsonata"
    path.write_text(text)
    own.write_text(its_map or "")
    arguments = ["--map", str(own), str(path)] if its_map else [str(path)]
    _, found = figures(capsys, *arguments)
    told = found.get("hints", [])
    assert len(told) == len(hints)
    assert all(map(str.__contains__, told, hints))
    cli.main(["check", *arguments])
    shown = capsys.readouterr().out
    assert shown.count("\nhint: ") == len(hints)
    assert "secret" not in shown


@pytest.mark.parametrize(
    "first",
    [
        b'{"claim_id": NaN}',
        b'{"claim_id": "a", "cla',
        b'{"claim_id": "\xef"}',
        b'{"claim_id": "a"} {}',
        b'{"claim_id": "\\ud800"}',
    ],
)
def test_a_first_line_that_is_no_json_is_one_rejection(first: bytes, tmp_path: Path, capsys):
    """The pipeline rejects it and goes on; `claims check` read no line of the file."""
    path = tmp_path / "claims.ndjson"
    path.write_bytes(b"\n".join([first, json.dumps(CLEAN).encode(), first]))
    code, found = figures(capsys, path)
    assert (code, found["claims"], found["rejected"]) == (1, 1, 2)


def test_lines_that_all_are_no_json_are_rejected_each(tmp_path: Path, capsys):
    path = tmp_path / "claims.ndjson"
    path.write_text('{"claim_id": NaN}\n' * 2)
    code, found = figures(capsys, path)
    assert (code, found["claims"], found["rejected"]) == (1, 0, 2)


@pytest.mark.parametrize("indent", [0, 1])
def test_a_document_over_several_lines_is_one_message(indent: int, tmp_path: Path, capsys):
    text = json.dumps({"claims": [{}, CLEAN, {}]}, indent=indent)
    path = tmp_path / "claims.json"
    path.write_text(text.replace("{},", "{}\n,"))
    _, found = figures(capsys, path)
    assert (found["messages"], found["rejected"]) == (1, 1)


def test_an_array_larger_than_a_message_is_told(tmp_path: Path, capsys, monkeypatch):
    monkeypatch.setattr(message_files, "_DOCUMENT_BYTES", 100)
    path = tmp_path / "claims.json"
    path.write_text(json.dumps([CLEAN], indent=1))
    assert cli.main(["check", str(path)]) == 1
    assert "write each claim on a line of its own" in capsys.readouterr().err


def test_a_map_and_what_it_makes(tmp_path: Path, capsys):
    path, own = tmp_path / "claims.ndjson", tmp_path / "own.jsonata"
    path.write_text('{"no": "C-1", "secret": "S-1"}\n')
    own.write_text('{"claim_id": no}')
    assert cli.main(["check", "--map", str(own), str(path)]) == 1
    assert "C-1" not in "".join(capsys.readouterr())
    _, found = figures(capsys, "--map", own, "--show", "1", path)
    assert found["shown"] == [{"claim_id": "C-1", "service_date": None, "submission_date": None}]
    own.write_text('{"claim_id": ')
    assert cli.main(["check", "--map", str(own), str(path)]) == 2
    assert f"{own}: line 1, column " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--map", "/no/such.jsonata"], "/no/such.jsonata: No such file"),
        (["--schema", "/no/such.json"], "/no/such.json: No such file"),
        (["--rules", "/dev/zero"], "/dev/zero: larger than 1,000,000 bytes"),
        (["--map", "/dev/zero"], "/dev/zero: larger than 1,000,000 bytes"),
        (["--threshold", "nan"], "'nan' is not a finite number"),
        (["--csv-delimiter", "||"], "one character, or the word tab"),
        (["--format", "XML"], "'XML' is not one of"),
    ],
)
def test_called_wrongly(arguments: list[str], said: str, tmp_path: Path, capsys):
    path = tmp_path / "claims.ndjson"
    path.write_text("{}\n")
    assert cli.main(["check", *arguments, str(path)]) == 2
    assert said in capsys.readouterr().err


def test_claims_with_numbers_of_many_digits_are_shown(tmp_path: Path, capsys):
    path = tmp_path / "claims.ndjson"
    path.write_text(json.dumps(CLEAN).replace("{", '{"more": 1234567890.123456789, ', 1))
    code, found = figures(capsys, "--show", "1", path)
    assert code == 0
    assert "1234567890.123456789" in json.dumps(found["shown"])


def test_no_such_file(capsys):
    assert cli.main(["check", "/no/such/file"]) == 1
    assert "/no/such/file: No such file" in capsys.readouterr().err


def test_fifty_thousand_claims_from_stdin_in_five_seconds():
    """With the start of the program, and neither Beam nor a client of Google in it."""
    lines = "".join(json.dumps({**CLEAN, "claim_id": f"C{n}"}) + "\n" for n in range(50_000))
    program = (
        "import sys; from claims_ops.main import main; code = main(['check', '-']);"
        "assert not {'apache_beam', 'google.protobuf', 'grpc'} & sys.modules.keys(); sys.exit(code)"
    )
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program], input=lines.encode(), stdout=subprocess.PIPE, check=True
    )
    assert time.perf_counter() - began < 5 * 4, "four times the budget: this machine may be busy"
    assert b"50,000 messages: 50,000 claims accepted, 0 rejected" in done.stdout


def test_large_messages_are_judged_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch):
    """Twenty lines of 2 MB took 0.5 GB, and would have gone on to a hundred lines."""
    monkeypatch.setattr(message_files, "BATCH_BYTES", 100)
    sizes = [10, 60, 30, 1, 500, 99, 1, 1, *[20] * 7]
    placed = [Placed(str(place), Message(bytes(size))) for place, size in enumerate(sizes)]
    found = list(batches(iter(placed), 4))
    assert [[len(each.message.data) for each in some] for some in found] == [
        [10, 60, 30],
        [1],
        [500],
        [99, 1],
        [1, 20, 20, 20],
        [20] * 4,
    ]
    judgement = judge(iter(placed), Documents(CONTRACT, RULES, None, "JSON"))
    assert (judgement.messages, judgement.rejected) == (len(sizes), len(sizes))


@pytest.mark.parametrize("name", ["cut.ndjson.gz", "cut.json.gz", "cut.csv.bz2"])
def test_damaged_file(name: str, tmp_path: Path, capsys):
    """Also where the damage is in what shows the format."""
    text = b'{\n"claim_id":\n"a"}' if ".json" in name else b'{"claim_id": "a"}\n' * 10
    text = b"claim_id,status\n" + b"a,b\n" * 10 if ".csv" in name else text
    packed = (bz2 if name.endswith("bz2") else gzip).compress(text)
    (tmp_path / name).write_bytes(packed[:-9])
    assert cli.main(["check", str(tmp_path / name)]) == 1
    shown = capsys.readouterr()
    assert "1 parse damaged_file: the file is damaged from here on" in shown.out
    assert shown.err == ""
