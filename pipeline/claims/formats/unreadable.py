"""Why a record of a file or a whole message of another format than JSON cannot be read."""

from collections.abc import Mapping

from pipeline.claims.message import Beginning, Unreadable

NOT_CLAIMS = {
    "270": "eligibility inquiry",
    "271": "eligibility response",
    "276": "claim status request",
    "277": "claim status",
    "278": "services review",
    "820": "premium payment",
    "834": "enrollment",
    "835": "remittance advice",
    "997": "functional acknowledgement",
    "999": "implementation acknowledgement",
}
"""X12 transaction sets that come from the same places as 837 and hold no claims."""

ERRORS: Mapping[str, str] = {
    "damaged_file": "the file is damaged from here on; everything before this point was read",
    "ragged_row": "the CSV row does not have as many fields as the header",
    "malformed_csv": "the CSV row has a misplaced quote or line break",
    "invalid_encoding": "the CSV row is not in the declared encoding",
    "invalid_header": "the CSV header has only one column (is csv_delimiter right?), repeats a"
    " column name, or has a name longer than 300 characters",
    "invalid_x12": "not X12, or an unterminated segment; nothing from here on was read",
    "x12_too_large": "the X12 is too large once the data its claims share is copied into each"
    " claim; nothing from here on was read",
    "x12_misplaced_level": "an HL before this claim is missing, or names another parent"
    " than the one it follows, so it is uncertain whose claim this is",
    "not_837": "the X12 transaction set is not a claim (837)",
    **{f"x12_{code}": f"X12 {code} ({name}) holds no claims" for code, name in NOT_CLAIMS.items()},
}
"""Error codes of the parse stage with their texts for people."""

_ENDS_FILE = frozenset(["damaged_file", "invalid_header", "invalid_x12"])
"""Codes behind which nothing of a file is read."""


def unreadable(data: bytes, code: str, is_lost: bool = False) -> Unreadable:
    """The data of a message that tells what could not be read, and ends the file if that does."""
    if is_lost or code in _ENDS_FILE:
        return Beginning(data, len(data), code)
    return Unreadable(data, code)
