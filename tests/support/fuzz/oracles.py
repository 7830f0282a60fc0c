"""What must hold for every message: one function of bytes a target, which raises where it does not.

- `decode`, of a message: it accepts what the reference accepts, and reads the same.
- `claims`, of a message: its steps end with one row that the table takes, or with one rejection
  that tells no value, and whose error row gives the message back.
- `replay`, of attributes, a line feed, and data: an error row gives back data, attributes and
  history, replay after replay.
- `map`, `csv`, `x12`: see `shapes.py`.
"""

import ast
import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from apache_beam.pvalue import TaggedOutput

import pipeline
from claims_ops.replay.message import COLUMNS, Replay, replay_of
from pipeline.claims import error_row as error_rows
from pipeline.claims.contract import MAX_VIOLATIONS
from pipeline.claims.documents import check_contract
from pipeline.claims.formats import json_documents as decoding
from pipeline.claims.history import (
    MAX_REPLAY_COUNT,
    ORIGINAL_MESSAGE_ID,
    ORIGINAL_PUBLISH_TIME,
    REPLAY_COUNT,
    history,
)
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.claims.tables import claims_table, errors_table
from pipeline.settings import Settings
from pipeline.sinks.bigquery.encode.row_encoder import RowEncoder
from pipeline.sinks.bigquery.encode.row_refusals import RowRefused
from pipeline.transforms.batch import Batch
from pipeline.transforms.step import StepFn
from pipeline.transforms.write_errors import ErrorRowFn
from tests.support.bigquery.table_rules import row_dict, row_fault
from tests.support.claims.core import CLEAN, CONTRACT, RULES
from tests.support.fuzz import reference, shapes
from tests.support.fuzz.reference import NoOpinion, NotAClaim

MOMENT = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW = MOMENT.isoformat(timespec="milliseconds")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SMALL_TEXT, SMALL_RAW = 64, 96
"""Limits of an error row while it is fuzzed, so that small messages reach and pass them."""

OWN_FIELDS = {
    "plan": {"type": ["object", "null"], "additionalProperties": {"type": ["string", "number"]}},
    "lines": {"type": ["array", "null"], "items": {"type": "object", "required": ["code"]}},
    "rate": {"type": ["number", "null"], "exclusiveMaximum": 100},
    "total": {"type": ["number", "null"], "x-bigquery": {"type": "BIGNUMERIC"}},
    "is_emergency": {"type": ["boolean", "null"]},
    "units": {"type": ["array", "null"], "items": {"type": "integer"}, "maxItems": 3},
    "visits": {"type": ["array", "null"], "items": {"type": "string", "format": "date-time"}},
    "modifier": {"type": ["string", "null"], "pattern": "^[A-Z0-9]{2}$"},
    "network": {"type": ["string", "null"], "enum": ["in", "out", None]},
}
"""What an operator's schema may have and ours has not: the other types, and more keywords."""
OWN = check_contract(
    json.dumps(
        {
            **CONTRACT.document,
            "properties": {
                **CONTRACT.properties,
                **{name: {"description": "Own.", **field} for name, field in OWN_FIELDS.items()},
            },
        }
    )
)
EXACT = OWN.exact_fields
CLAIM_COLUMNS, ERROR_COLUMNS = claims_table(OWN).columns, errors_table().columns
CLAIM_ROWS, ERROR_ROWS = RowEncoder(CLAIM_COLUMNS), RowEncoder(ERROR_COLUMNS)
NEIGHBOUR = json.dumps(CLEAN).encode()
REFUSALS_OF_VALUES = {"out_of_range", "too_many_decimals", "bad_timestamp"}
"""What a valid claim may still be refused for: JSON Schema knows no range of a column, and a time
of the year 9999 may be one of the year 10000 in UTC."""


def clock() -> str:
    return NOW


def steps_of(settings: Settings) -> tuple[StepFn, ...]:
    """The steps of the graph, ready for messages."""
    enrich = partial(settings.enrich, clock)
    steps = tuple(StepFn(make, "") for make in (settings.parse, settings.validate, enrich))
    for step in steps:
        step.setup()
    return steps


SETTINGS = Settings(OWN, RULES, 0.5, "0.0.0")
STEPS, BATCH_STEPS = steps_of(SETTINGS), steps_of(SETTINGS)


def check_decode(data: bytes) -> None:
    """`decode` against the reference."""
    fields = decoding.decode(data, EXACT)
    try:
        expected = reference.fields_of(data)
    except NotAClaim:
        assert isinstance(fields, Rejection), "accepts what is no JSON object"
        assert fields.error_code in decoding.ERRORS
        return
    except NoOpinion:
        return
    assert not isinstance(fields, Rejection), "rejects a JSON object"
    assert fields.keys() == expected.keys()
    for name, value in fields.items():
        assert reference.is_same(value, expected[name], name in EXACT), "reads another value"


def check_claims(data: bytes) -> None:
    """A message through the steps, alone and in a batch."""
    message = Message(data, "claims.ndjson:0")
    outcome = _alone(message)
    assert _told(_in_batch(message)) == _told(outcome), "a batch decides otherwise"
    if isinstance(outcome, Rejection):
        _check_rejection(message, outcome)
        return
    [encoded] = CLAIM_ROWS.encode([outcome])
    if isinstance(encoded, RowRefused):
        assert {each.rule for each in encoded.violations} <= REFUSALS_OF_VALUES
        _check_words((each.field, each.rule, each.message) for each in encoded.violations)
        return
    assert row_fault(CLAIM_COLUMNS, CLAIM_ROWS.decode(encoded)) == "", "the table refuses the row"
    assert 0 <= outcome["fraud_risk_score"] <= 1
    try:
        fields = reference.fields_of(data)
    except NoOpinion:
        return
    amount = fields["claim_amount"]
    assert Decimal(outcome["claim_amount"]) == Decimal(amount), "money is lost"
    unknown = fields.keys() - OWN.properties.keys()
    kept = json.loads(outcome["additional_fields"] or "{}")
    assert kept.keys() == unknown, "an unknown field is lost"
    if type(fields["claim_id"]) is str:
        assert outcome["claim_id"] == fields["claim_id"]


def _told(outcome: Any) -> str:
    return repr(outcome)


def _alone(message: Message) -> Any:
    """The row of a message, or its rejection."""
    element: Any = message
    for step in STEPS:
        outputs = list(step.process(element))
        step.finish_bundle()
        assert len(outputs) == 1, "a step gives not one outcome"
        [element] = outputs
        if isinstance(element, TaggedOutput):
            element = element.value
            break
    assert element[0] is message
    return element[1]


def _in_batch(message: Message) -> Any:
    """The same in a batch with a claim that is accepted."""
    batch = Batch([Message(NEIGHBOUR, "claims.ndjson:1"), message])
    rejected: list[Any] = []
    for step in BATCH_STEPS:
        following = []
        for output in step.process_batch(batch):
            if isinstance(output, TaggedOutput):
                rejected += output.value
            else:
                following.append(output)
        step.finish_bundle()
        [batch] = following
    assert len(batch) + len(rejected) == 2, "a batch loses a message"
    _check_columns(batch)
    [outcome] = [element[1] for element in (*batch, *rejected) if element[0] is message]
    return outcome


def _check_columns(batch: Batch) -> None:
    """Encoded column by column the rows are what they are one by one."""
    rows = batch.subjects or ()
    one_by_one = [encoded for row in rows for encoded in CLAIM_ROWS.encode([row])]
    assert CLAIM_ROWS.encode(rows) == one_by_one, "a column encodes otherwise"


def _check_rejection(message: Message, rejection: Rejection) -> None:
    assert rejection.error_code != "internal_error", rejection.error
    assert rejection.error and "\n" not in rejection.error
    assert len(rejection.violations) <= MAX_VIOLATIONS
    assert bool(rejection.violations) == (rejection.error_code == "schema_violation")
    _check_words(rejection[:3])
    _check_words(rejection.violations)
    [(_, row)] = ErrorRowFn("1", "0", clock, None).process((message, rejection))
    replay = replay_of(_as_read(row))
    assert isinstance(replay, Replay)
    assert replay.data == message.data, "an error row loses the message"
    [(_, row)] = ErrorRowFn("1", "0", clock, _NAMES).process((message, rejection))
    assert isinstance(ERROR_ROWS.encode([row])[0], bytes), "the error table refuses the row"
    structure = set(re.findall(r"\w+", row["raw_message"] or ""))
    assert all(word in _STRUCTURE or word.isdigit() for word in structure), (
        "a value is not redacted"
    )


def check_replay(data: bytes) -> None:
    """An error row, written and read back, against the message that it was made from."""
    head, _, body = data.partition(b"\n")
    texts = [part.decode(errors="replace") for part in head.split(b"\x1f")]
    attributes = dict(zip(texts[1::2], texts[2::2], strict=False))
    message = Message(body, texts[0] or "1", NOW, attributes)
    with (
        mock.patch.object(error_rows, "TEXT_LIMIT", SMALL_TEXT),
        mock.patch.object(error_rows, "RAW_LIMIT", SMALL_RAW),
    ):
        for _ in range(2):
            replay = _replayed(message)
            if replay is None:
                return
            again = Message(replay.data, "new", NOW, replay.attributes)
            count, original, published = history(again)
            before = history(message)
            assert count == min(before[0] + 1, MAX_REPLAY_COUNT), "a replay is not counted"
            assert original == (before[1] or message.message_id), "the original is not named"
            assert datetime.fromisoformat(str(published)) == datetime.fromisoformat(str(before[2]))
            message = again


def _replayed(message: Message) -> Replay | None:
    """The replay of a message; None where its row holds the beginning only, or it is too large."""
    row = error_rows.error_row(message, Rejection("parse", "invalid_json", "no JSON"), NOW)
    read = _as_read({**row, "contract_version": "1", "pipeline_version": "0"})
    replay = replay_of(read)
    if isinstance(replay, str):
        if replay == "truncated":
            assert len(message.data) > SMALL_RAW
            assert read["raw_bytes"] == message.data[:SMALL_RAW]
        else:
            assert replay == "too_large"
            values = [message.message_id or "", *message.attributes.values()]
            assert (
                len(values) > 96
                or max(len(each.encode()) for each in values) > 1_024
                or max(len(each.encode()) for each in ("", *message.attributes)) > 256
            )
        assert read["raw_size"] == len(message.data)
        return None
    assert replay.data == message.data, "an error row loses the message"
    own = {REPLAY_COUNT, ORIGINAL_MESSAGE_ID, ORIGINAL_PUBLISH_TIME}
    kept = {key: value for key, value in message.attributes.items() if key not in own}
    assert {k: v for k, v in replay.attributes.items() if k not in own} == kept
    return replay


def _as_read(row: dict[str, Any]) -> dict[str, Any]:
    """The row as BigQuery gives it back, once it has gone there."""
    [encoded] = ERROR_ROWS.encode([row])
    assert isinstance(encoded, bytes), "the error table refuses the row"
    message = ERROR_ROWS.decode(encoded)
    assert row_fault(ERROR_COLUMNS, message) == "", "the error table refuses the row"
    read: dict[str, Any] = {"attributes": [], **dict.fromkeys(COLUMNS), **row_dict(message)}
    read["attributes"] = read["attributes"] or []
    if read["publish_time"] is not None:
        read["publish_time"] = EPOCH + timedelta(microseconds=read["publish_time"])
    return read


def _words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in re.findall(r"\w+", text)}


def _texts_of_code() -> Iterable[str]:
    """Every text in the code of the pipeline but its docstrings."""
    for folder in ("claims", "privacy", "transforms", "sinks"):
        for path in Path(pipeline.__file__).parent.joinpath(folder).rglob("*.py"):
            tree = ast.parse(path.read_text("utf-8"))
            docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and id(node) not in docs:
                    yield str(node.value)


_VOCABULARY = _words([*_texts_of_code(), json.dumps(OWN.document)])
"""Whatever a rejection may say: words of the code and of the claim schema."""
_NAMES = frozenset(OWN.properties)
_STRUCTURE = _NAMES | {"string", "number", "boolean", "null", "object", "array"}


def _check_words(texts: Iterable[Any]) -> None:
    told = _words(part for each in texts for part in ([each] if isinstance(each, str) else each))
    assert told <= _VOCABULARY, "a rejection tells a value"


TARGETS: dict[str, Callable[[bytes], None]] = {
    "decode": check_decode,
    "claims": check_claims,
    "replay": check_replay,
    "map": shapes.check_map,
    "csv": shapes.check_csv,
    "x12": shapes.check_x12,
}
