"""The row encoder: what is encoded reads back as it was; what cannot be is refused by name."""

import json
import math
import string
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.claims.contract import Column, Contract
from pipeline.claims.tables import claims_table, errors_table
from pipeline.sinks.bigquery.encode.row_encoder import RowEncoder
from pipeline.sinks.bigquery.encode.row_refusals import RowRefused
from pipeline.sinks.bigquery.encode.row_schema import message_class, row_descriptor
from pipeline.sinks.bigquery.encode.wire_values import REFUSALS
from tests.support.bigquery.table_rules import row_dict, row_fault

SCALARS = (
    Column("a_string", "STRING"),
    Column("a_bytes", "BYTES"),
    Column("an_integer", "INTEGER"),
    Column("a_float", "FLOAT"),
    Column("a_numeric", "NUMERIC"),
    Column("a_bignumeric", "BIGNUMERIC"),
    Column("a_boolean", "BOOLEAN"),
    Column("a_date", "DATE"),
    Column("a_time", "TIME"),
    Column("a_datetime", "DATETIME"),
    Column("a_timestamp", "TIMESTAMP"),
    Column("a_json", "JSON"),
    Column("a_geography", "GEOGRAPHY"),
)
ARRAYS = tuple(Column(f"{column.name}_list", column.type, "REPEATED") for column in SCALARS)
RECORDS = (
    Column("a_record", "RECORD", "NULLABLE", "", (*SCALARS, *ARRAYS)),
    Column(
        "record_list",
        "RECORD",
        "REPEATED",
        "",
        (Column("inner", "RECORD", "REPEATED", "", SCALARS),),
    ),
)
COLUMNS = (Column("id", "STRING", "REQUIRED"), *SCALARS, *ARRAYS, *RECORDS)
ENCODER = RowEncoder(COLUMNS)
READER = message_class(row_descriptor(COLUMNS))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

texts = st.text(st.characters(codec="utf-8"), max_size=40)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=offsets)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "STRING": texts,
    "BYTES": st.binary(max_size=200),
    "INTEGER": st.integers(-(2**63), 2**63 - 1),
    "FLOAT": st.floats(allow_nan=False),
    "NUMERIC": st.decimals(-(10**28), 10**28, places=9, allow_nan=False).map(
        lambda d: format(d, "f")
    ),
    "BIGNUMERIC": st.decimals(-(10**30), 10**30, places=38, allow_nan=False).map(
        lambda d: format(d, "f")
    ),
    "BOOLEAN": st.booleans(),
    "DATE": st.dates().map(date.isoformat),
    "TIME": st.times().map(lambda t: t.isoformat()),
    "DATETIME": st.datetimes().map(lambda d: d.isoformat()),
    "TIMESTAMP": moments.map(lambda d: d.isoformat()),
    "JSON": st.dictionaries(st.sampled_from(string.ascii_letters), st.integers()).map(json.dumps),
    "GEOGRAPHY": st.just("POINT(1 2)"),
}


def rows_of(columns: tuple[Column, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """Rows with some columns left out, and some None."""

    def values(column: Column) -> st.SearchStrategy[Any]:
        one = rows_of(column.fields) if column.type == "RECORD" else VALUES[column.type]
        if column.mode == "REPEATED":
            return st.none() | st.lists(one, max_size=2)
        return one if column.mode == "REQUIRED" else st.none() | one

    required = {c.name: values(c) for c in columns if c.mode == "REQUIRED"}
    optional = {c.name: values(c) for c in columns if c.mode != "REQUIRED"}
    return st.fixed_dictionaries(required, optional=optional)


def expected(row: dict[str, Any], columns: tuple[Column, ...]) -> dict[str, Any]:
    """What an independent reading of the documentation makes of a row; NULL and [] are left out."""

    def one(column: Column, value: Any) -> Any:
        match column.type:
            case "RECORD":
                return expected(value, column.fields)
            case "DATE":
                return (date.fromisoformat(value) - EPOCH.date()).days
            case "TIMESTAMP":
                return (datetime.fromisoformat(value) - EPOCH) // timedelta(microseconds=1)
            case "NUMERIC" | "BIGNUMERIC":
                return Decimal(value)
        return value

    found = {}
    for column in columns:
        value = row.get(column.name)
        if value is None or value == []:
            continue
        if column.mode == "REPEATED":
            found[column.name] = [one(column, item) for item in value]
        else:
            found[column.name] = one(column, value)
    return found


def numbers(row: dict[str, Any], columns: tuple[Column, ...]) -> dict[str, Any]:
    """A decoded row with its decimal texts as numbers."""

    def one(column: Column, value: Any) -> Any:
        if column.type == "RECORD":
            return numbers(value, column.fields)
        return Decimal(value) if column.type.endswith("NUMERIC") else value

    by_name = {column.name: column for column in columns}
    return {
        name: [one(by_name[name], item) for item in value]
        if by_name[name].mode == "REPEATED"
        else one(by_name[name], value)
        for name, value in row.items()
    }


def encoded(row: dict[str, Any]) -> bytes:
    """A row that must not be refused."""
    [data] = ENCODER.encode([row])
    assert isinstance(data, bytes), data
    return data


def test_a_refused_row_leaves_its_neighbours_alone() -> None:
    good = {"id": "1"}
    first, refused, last = ENCODER.encode([good, {}, good])
    assert first == last == encoded(good)
    assert isinstance(refused, RowRefused)
    assert refused.violations[0][:2] == ("id", "required_missing")


@settings(max_examples=150, deadline=None)
@given(rows_of(COLUMNS))
def test_every_row_reads_back_as_it_was(row: dict[str, Any]) -> None:
    before = repr(row)
    message = READER.FromString(encoded(row))
    assert numbers(row_dict(message), COLUMNS) == expected(row, COLUMNS)
    assert row_fault(COLUMNS, message) == ""
    assert repr(row) == before


GOOD: list[tuple[str, Any, Any]] = [
    ("an_integer", 2**63 - 1, 2**63 - 1),
    ("an_integer", -(2**63), -(2**63)),
    ("a_float", 3, 3.0),
    ("a_float", math.inf, math.inf),
    (
        "a_numeric",
        "99999999999999999999999999999.999999999",
        "99999999999999999999999999999.999999999",
    ),
    (
        "a_numeric",
        "-99999999999999999999999999999.999999999",
        "-99999999999999999999999999999.999999999",
    ),
    ("a_numeric", 573.39, "573.39"),
    ("a_numeric", 0.1, "0.1"),
    ("a_numeric", 12, "12"),
    ("a_numeric", 1e16, "10000000000000000"),
    ("a_numeric", 1e-9, "0.000000001"),
    ("a_numeric", Decimal("1E+3"), "1000"),
    ("a_numeric", "1.10000000000000000000", "1.1"),
    ("a_numeric", "0.00000000000000000000", "0"),
    ("a_bignumeric", "1." + "0" * 37 + "1", "1." + "0" * 37 + "1"),
    (
        "a_bignumeric",
        "578960446186580977117854925043439539266.34992332820282019728792003956564819967",
        "578960446186580977117854925043439539266.34992332820282019728792003956564819967",
    ),
    ("a_date", "0001-01-01", -719162),
    ("a_date", "9999-12-31", 2932896),
    ("a_date", "1969-12-31", -1),
    ("a_timestamp", "1970-01-01T00:00:00.000001Z", 1),
    ("a_timestamp", "1969-12-31T23:59:59.999999Z", -1),
    ("a_timestamp", "0001-01-01T00:00:00Z", -62135596800000000),
    ("a_timestamp", "9999-12-31T23:59:59.999999Z", 253402300799999999),
    ("a_timestamp", "1970-01-01T01:00:00+01:00", 0),
    ("a_timestamp", "1970-01-01t00:00:01z", 1_000_000),
    ("a_timestamp", "1970-01-01T00:00:00.123456789Z", 123456),
    ("a_timestamp", "2016-12-31T23:59:60Z", 1483228800000000),
    ("a_string", "", ""),
    ("a_string", "\0é𝄞", "\0é𝄞"),
    ("a_bytes", b"\xff\0", b"\xff\0"),
]
BAD: list[tuple[str, Any, str]] = [
    ("id", None, "required_missing"),
    ("a_string", 1, "wrong_type"),
    ("a_string", ["a"], "wrong_type"),
    ("a_string", "\ud800", "not_unicode"),
    ("a_bytes", "text", "wrong_type"),
    ("an_integer", 2**63, "out_of_range"),
    ("an_integer", -(2**63) - 1, "out_of_range"),
    ("an_integer", True, "wrong_type"),
    ("an_integer", 1.0, "wrong_type"),
    ("an_integer", "1", "wrong_type"),
    ("a_float", "1", "wrong_type"),
    ("a_float", True, "wrong_type"),
    ("a_float", 10**400, "out_of_range"),
    ("a_numeric", "1.0000000001", "too_many_decimals"),
    ("a_numeric", "100000000000000000000000000000", "out_of_range"),
    ("a_numeric", 1e300, "out_of_range"),
    ("a_numeric", 1e-10, "too_many_decimals"),
    ("a_numeric", math.nan, "bad_number"),
    ("a_numeric", "Infinity", "bad_number"),
    ("a_numeric", "one", "bad_number"),
    ("a_numeric", True, "wrong_type"),
    ("a_numeric", [], "wrong_type"),
    ("a_bignumeric", "1." + "0" * 38 + "1", "too_many_decimals"),
    ("a_bignumeric", "1e39", "out_of_range"),
    ("a_boolean", 1, "wrong_type"),
    ("a_boolean", "true", "wrong_type"),
    ("a_date", "2025-02-29", "bad_date"),
    ("a_date", "20250228", "bad_date"),
    ("a_date", "2025-W01-1", "bad_date"),
    ("a_date", date(2025, 1, 1), "wrong_type"),
    ("a_date", ["2025-01-01"], "wrong_type"),
    ("a_time", "25:00:00", "bad_time"),
    ("a_time", "10:00:00Z", "bad_time"),
    ("a_datetime", "2025-01-01T00:00:00Z", "bad_datetime"),
    ("a_datetime", "2025-01-01", "bad_datetime"),
    ("a_timestamp", "2025-01-01T00:00:00", "bad_timestamp"),
    ("a_timestamp", "2025-01-01", "bad_timestamp"),
    ("a_timestamp", "yesterday", "bad_timestamp"),
    ("a_timestamp", "0001-01-01T00:00:00+01:00", "bad_timestamp"),
    ("a_timestamp", 0, "wrong_type"),
    ("a_json", {"a": 1}, "wrong_type"),
    ("a_string_list", "text", "wrong_type"),
    ("a_string_list", ["a", None], "null_in_array"),
    ("a_string_list", ["a", 1], "wrong_type"),
    ("an_integer_list", [1, True], "wrong_type"),
    ("a_record", "text", "wrong_type"),
    ("a_record", {"an_integer": "1"}, "wrong_type"),
    ("record_list", [{"inner": [{"a_date": "x"}]}], "bad_date"),
    ("record_list", [None], "null_in_array"),
    ("no_such_column", 1, "unknown_column"),
]


@pytest.mark.parametrize(("name", "value", "wire"), GOOD)
def test_a_value_at_its_limits_is_encoded(name: str, value: Any, wire: Any) -> None:
    message = READER.FromString(encoded({"id": "1", name: value}))
    assert getattr(message, name) == wire
    assert row_fault(COLUMNS, message) == ""


@pytest.mark.parametrize(("name", "value", "code"), BAD)
def test_a_value_that_does_not_fit_is_refused_by_name(name: str, value: Any, code: str) -> None:
    [refused] = ENCODER.encode([{"id": "1", name: value}])
    assert isinstance(refused, RowRefused)
    violation = refused.violations[0]
    assert violation.rule == code
    assert code == "unknown_column" or violation.field.startswith(name)
    assert violation.message == REFUSALS[code]
    assert len(refused.violations) == 1


def test_every_refusal_has_a_case() -> None:
    assert {code for _, _, code in BAD} == REFUSALS.keys() - {"not_encodable"}


def test_a_nested_value_is_refused_by_its_path() -> None:
    [refused] = ENCODER.encode([{"id": "1", "record_list": [{"inner": [{"a_date": "x"}]}]}])
    assert isinstance(refused, RowRefused)
    assert refused.violations[0].field == "record_list[].inner[].a_date"


@pytest.mark.parametrize("table", [claims_table(Contract.default()), errors_table()])
def test_the_writer_schema_is_self_contained_proto2(table: Any) -> None:
    descriptor = row_descriptor(table.columns)
    fields = {field.name: field for field in descriptor.field}
    assert list(fields) == [column.name for column in table.columns]
    assert not any(field.label == field.LABEL_REQUIRED for field in fields.values())
    assert not any(field.HasField("proto3_optional") for field in fields.values())
    nested = {record.name for record in descriptor.nested_type}
    assert {field.type_name for field in fields.values() if field.type_name} == nested
    assert not nested & fields.keys()


def test_an_unknown_column_type_is_told_at_construction() -> None:
    with pytest.raises(ValueError, match="odd"):
        row_descriptor([Column("odd", "INTERVAL")])


def test_the_class_of_equal_columns_is_made_once():
    """Freed ones have crashed a process."""
    assert message_class(row_descriptor(list(COLUMNS))) is READER
