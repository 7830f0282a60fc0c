"""The views of a claims table: the current claims, their lines, Tuva's input layer."""

from importlib import resources
from string import Template
from typing import Final

from pipeline.claims.contract import Column
from pipeline.claims.tables import TableName

_ALWAYS: Final = ("TIMESTAMP '0001-01-01 00:00:00+00'", "TIMESTAMP '9999-12-31 00:00:00+00'")
_OF_CURRENT: Final = {"lines": "claim_lines", "tuva_medical_claim": "tuva_medical_claim"}
_NEEDED: Final = ("payer_id", "claim_frequency_code", "original_claim_id", "bill_type")
"""Columns that tell what replaces what; a claim schema of an operator may lack them."""


def current_claims(claims: str, since: str = "@since", until: str = "@until") -> str:
    """The query for the current claims of a table, of rows that were processed in a time range.

    `since` is the first moment of the range, `until` the one after its last, both as SQL. No
    partition before the first is read.
    """
    query = _text("claims_current", claims)
    return query.replace("@since", since).replace("@until", until)


def statements(claims: TableName) -> dict[str, str]:
    """The statement that makes each view, and the table function with a range of time, by name."""
    made = f"{claims}_current"
    made_of = {
        made: f"CREATE OR REPLACE VIEW `{made}` AS\n{current_claims(str(claims), *_ALWAYS)}",
        f"{made}_between": (
            f"CREATE OR REPLACE TABLE FUNCTION `{made}_between`"
            "(_since TIMESTAMP, _until TIMESTAMP) AS (\n"
            f"{current_claims(str(claims), '_since', '_until')})"
        ),
    }
    for suffix, file in _OF_CURRENT.items():
        view = f"{claims}_{suffix}"
        made_of[view] = f"CREATE OR REPLACE VIEW `{view}` AS\n{_text(file, str(claims))}"
    return made_of


def lacking(columns: tuple[Column, ...]) -> list[str]:
    """The columns without which a claims table has no views; none with the default contract."""
    default = {"service_lines", *_NEEDED}
    return sorted(default - {column.name for column in columns})


def _text(file: str, claims: str) -> str:
    text = resources.files(__name__).joinpath(f"{file}.sql").read_text("utf-8")
    return Template(text).substitute(CLAIMS_TABLE=claims)
