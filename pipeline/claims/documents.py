"""Checks of the documents that an operator may bring: claim schema and rules.

They run once, at launch, with the reference implementation of JSON Schema; each problem is reported
with its place in the document.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import jsonschema
from jsonschema.protocols import Validator
from jsonschema_rs import ValidationError

from pipeline.claims import document_cost
from pipeline.claims.contract import (
    ADDITIONAL_FIELDS,
    Column,
    Contract,
    Fields,
    is_nullable,
    types_of,
)
from pipeline.claims.document_text import DocumentError, place_of, version_of
from pipeline.claims.judgement import Scorer
from pipeline.claims.rules import Rule, Rules, condition_of, fields_read, plain
from pipeline.claims.signals.facts import GivenFacts
from pipeline.claims.signals.table import SIGNALS

_REFERENCE: type[Validator] = jsonschema.Draft202012Validator
_COLUMN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,299}", re.ASCII)
_RESERVED = re.compile(
    "(_table_|_file_|_partition|_row_timestamp|__root__|_colidentifier|_change_).*", re.IGNORECASE
)
"""Names that BigQuery reserves (REST reference of TableFieldSchema)."""
_MAX_COLUMNS = 10_000
_MAX_DESCRIPTION = 1_024
"""Characters of the description of a column."""
_SHOWN = 200
"""Characters of a validator's message, which repeats the document."""
_RULE_ID = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
# Patterns are ECMA-262: the engine that decides on claims decides on them too.
_FORMATS = jsonschema.FormatChecker(set(_REFERENCE.FORMAT_CHECKER.checkers) - {"regex"})
_FORMATS_OF_COLUMNS = {"DATE": "date", "TIMESTAMP": "date-time"}
"""Values of these columns are spelt and checked by the format: another one, or none, lets through
what the column cannot hold, or nothing."""
_COLUMN_TYPES = {
    "string": {"STRING", "DATE", "TIMESTAMP"},
    "integer": {"INTEGER", "NUMERIC", "BIGNUMERIC", "FLOAT"},
    "number": {"FLOAT", "NUMERIC", "BIGNUMERIC"},
    "boolean": {"BOOLEAN"},
    "object": {"JSON", "RECORD"},
}


def _check_schema(schema: Any, prefix: str = "", before: int = 0) -> int:
    """Check a JSON Schema against its meta-schema, its patterns, and what it may cost a claim.

    `before` is what earlier schemas of the document count; returned is what they make together.
    """
    reference = _REFERENCE(_REFERENCE.META_SCHEMA, format_checker=_FORMATS)
    try:
        for error in sorted(reference.iter_errors(schema), key=str):
            reason = f"not a valid JSON Schema: {error.message[:_SHOWN]}"
            raise DocumentError(place_of(error.absolute_path, prefix), reason)
        if isinstance(schema, Mapping):
            return document_cost.check(schema, prefix, before)
    except RecursionError:
        raise DocumentError(prefix, "its schemas or references are nested too deeply") from None
    return before


def check_contract(text: str, reserved: Iterable[str] = ()) -> Contract:
    """The contract of a claim schema document.

    `reserved` are the column names that the pipeline itself adds to the claims table.

    Raises:
        DocumentError: the document is no JSON Schema, a property has no column, a field of the
            default contract is of another type, or one of its required fields is missing,
            optional or nullable.
    """
    contract = Contract(text)
    reserved = tuple(reserved)
    if sum(1 + len(each.fields) for each in contract.columns) + len(reserved) > _MAX_COLUMNS:
        raise DocumentError("properties", f"a table can have at most {_MAX_COLUMNS:,} columns")
    _check_schema(contract.document)
    if contract.document.get("type") != "object":
        raise DocumentError("type", 'must be "object"')
    version_of(contract.document, "x-version")
    _check_core(contract)
    _check_fields(contract, (*reserved, *SIGNALS), contract.document.get("required", ()))
    for name, fields in contract.records.items():
        place = f"properties.{name}.items."
        required = contract.properties[name]["items"].get("required", ())
        _check_fields(fields, (ADDITIONAL_FIELDS,), required, place)
    try:
        contract.accept([{}])
    except ValidationError as error:
        raise _not_compiling(error) from None
    return contract


def _check_fields(
    fields: Fields, reserved: Iterable[str], required: Collection[str], prefix: str = ""
) -> None:
    """Check the columns of a claim's properties, or of a record's, at a place in the document."""
    taken = {name.lower() for name in reserved}
    records = fields.records if isinstance(fields, Contract) else ()
    for column in fields.columns:
        if column.name not in fields.properties:
            continue  # the one that every record has for what is unknown
        place = f"{prefix}properties.{column.name}"
        if not _COLUMN_NAME.fullmatch(column.name):
            raise DocumentError(place, "not a valid column name; use only letters, digits and _")
        if _RESERVED.fullmatch(column.name):
            raise DocumentError(place, "BigQuery reserves names with this prefix")
        if len(column.description) > _MAX_DESCRIPTION:
            reason = f"longer than BigQuery's limit of {_MAX_DESCRIPTION:,} characters"
            raise DocumentError(f"{place}.description", reason)
        if column.name.lower() in taken:
            raise DocumentError(place, "a column with this name already exists (case is ignored)")
        taken.add(column.name.lower())
        schema = fields.properties[column.name]
        _check_column_type(schema, column, place)
        if column.type == "RECORD" and column.name not in records:
            raise DocumentError(place, "records are allowed only as items of a top-level array")
        _check_extensions(schema, place, is_required=column.name in required)


def _check_column_type(schema: Mapping[str, Any], column: Column, place: str) -> None:
    is_array = isinstance(schema.get("items"), dict)
    item, where = (schema["items"], f"{place}.items") if is_array else (schema, place)
    json_type = next(iter(types_of(item)), "string")
    if column.type not in _COLUMN_TYPES.get(json_type, ()):
        reason = f"a BigQuery {column.type} column cannot hold a JSON {json_type}"
        raise DocumentError(place, reason)
    if column.type == "RECORD" and is_nullable(item):
        raise DocumentError(f"{place}.items.type", "a record must not be null")
    wanted = _FORMATS_OF_COLUMNS.get(column.type)
    if wanted not in (None, item.get("format")):
        raise DocumentError(f"{where}.format", f"must be {wanted} for a {column.type} column")


def _check_extensions(schema: Mapping[str, Any], place: str, *, is_required: bool) -> None:
    if not isinstance(schema.get("x-separator", ""), str):
        raise DocumentError(f"{place}.x-separator", "must be a string")
    mode = schema.get("x-bigquery", {}).get("mode", "NULLABLE")
    place = f"{place}.x-bigquery.mode"
    if mode not in ("NULLABLE", "REQUIRED"):
        raise DocumentError(place, "must be NULLABLE or REQUIRED; arrays are always REPEATED")
    if mode == "REQUIRED" and (not is_required or is_nullable(schema)):
        raise DocumentError(place, "REQUIRED is only for a field that is required and never null")


def _check_core(contract: Contract) -> None:
    core = Contract.default()
    columns = {column.name: column for column in contract.columns}
    for name in core.document["required"]:
        if name not in columns:
            raise DocumentError("properties", f"the required field {name} is missing")
        if name not in contract.document.get("required", ()):
            raise DocumentError("required", f"{name} must stay required")
        if is_nullable(contract.properties[name]) and not is_nullable(core.properties[name]):
            raise DocumentError(f"properties.{name}.type", "must not allow null")
    # Features and the default rules read the others too, where a claim has them.
    for wanted in core.columns:
        column = columns.get(wanted.name)
        if column is None:
            continue
        place = f"properties.{wanted.name}"
        _check_kind(column, wanted, place)
        inner = {field.name: field for field in column.fields}
        for field in wanted.fields:
            where = f"{place}.items.properties.{field.name}"
            _check_kind(inner.get(field.name, field), field, where)
        wanted_format = core.properties[wanted.name].get("format")
        if wanted_format not in (None, contract.properties[wanted.name].get("format")):
            raise DocumentError(f"{place}.format", f"must stay {wanted_format}")


def _check_kind(column: Column, wanted: Column, place: str) -> None:
    is_array = wanted.mode == "REPEATED"
    if column.type != wanted.type or (column.mode == "REPEATED") != is_array:
        what = f"{'an array of ' if is_array else ''}{wanted.type}"
        raise DocumentError(place, f"its column type must stay {what}")


def _not_compiling(error: ValidationError, prefix: str = "") -> DocumentError:
    return DocumentError(
        place_of(error.instance_path, prefix), f"does not compile: {error.message}"
    )


def check_rules(text: str, contract: Contract) -> Rules:
    """The rules of a rules document, checked against the contract that they will meet.

    Raises:
        DocumentError: the document is malformed, a condition is no JSON Schema, or it reads a
            field that no claim has, or one that is ground truth (`x-label`).
    """
    rules = Rules(text)
    # A field of the default contract that this one lacks is null for every rule.
    fields = [*contract.properties.items(), *Contract.default().properties.items()]
    labels = {name for name, schema in fields if schema.get("x-label")}
    known = {*dict(fields), *SIGNALS}
    seen: set[str] = set()
    checks = 0
    for section, some in (("risk_rules", rules.risk), ("quality_rules", rules.quality)):
        for place, rule in enumerate(some):
            where = f"{section}[{place}]"
            checks = _check_rule(rule, where, known, labels, checks)
            if rule.id in seen:
                raise DocumentError(f"{where}.id", f"{rule.id} is used twice")
            seen.add(rule.id)
            _check_on_workers(rule, f"{where}.when")
    return rules


def _check_on_workers(rule: Rule, where: str) -> None:
    """Compile and ask a rule as workers do, on a claim of nulls and on one of texts."""
    alone = Rules('{"risk_rules": [], "quality_rules": []}')
    alone.risk = (rule,)
    try:
        scorer = Scorer(alone, GivenFacts({}))
        for value in (None, "text", 1, ["text"], {"text": "text"}):
            scorer.fired({name: (value,) for name in fields_read(rule.when) or ("claim_id",)})
    except ValueError as error:
        raise DocumentError(where, f"does not compile: {error}") from None


def _check_rule(rule: Rule, where: str, known: set[str], labels: set[str], before: int) -> int:
    """Check one rule; `before` and what is returned are those of `_check_schema`."""
    if not _RULE_ID.fullmatch(rule.id):
        raise DocumentError(
            f"{where}.id", "use only lowercase letters, digits and _, at most 64 characters"
        )
    if not 0 <= rule.weight <= 1:
        raise DocumentError(f"{where}.weight", "must be between 0 and 1")
    checks = _check_schema(plain(rule.when), f"{where}.when", before)
    try:
        condition_of(rule)
    except ValidationError as error:
        raise _not_compiling(error, f"{where}.when") from None
    fields = fields_read(rule.when)
    if fields is None:
        raise DocumentError(f"{where}.when", "must list, under properties, the fields it reads")
    for name in sorted(fields - known):
        raise DocumentError(f"{where}.when", f"{name} is neither a field nor a signal")
    for name in sorted(fields & labels):
        raise DocumentError(f"{where}.when", f"{name} is ground truth, which rules must not read")
    return checks
