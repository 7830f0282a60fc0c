"""JSON documents of any shape: no digit lost, no key twice."""

from typing import Any

import pytest

from pipeline.claims.formats.document import decode_document
from pipeline.claims.rejection import Rejection


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a": {"b": [1, 2.5]}}', {"a": {"b": [1, 2.5]}}),
        (b'[{"a": 1}]', [{"a": 1}]),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": [{"id": 9007199254740993}]}', {"a": [{"id": "9007199254740993"}]}),
        (b'{"a":12345678901234567890123}', {"a": "12345678901234567890123"}),
        (b'{"a": 9007199254740992}', {"a": 9007199254740992}),
        (b'{"a": 0.12345678901234567890}', {"a": "0.12345678901234567890"}),
        (
            b'{"a": 0.1000000000000000, "b": "12345678901234567"}',
            {"a": 0.1, "b": "12345678901234567"},
        ),
        (b'{"a": "\\" :", "b": ":"}', {"a": '" :', "b": ":"}),
        (b'{"a": 1e-400, "b": -1E-9}', {"a": "1e-400", "b": -1e-9}),
        (b'{"a": "\\u0022:", "b": 1}', {"a": '":', "b": 1}),
    ],
)
def test_read(data: bytes, expected: Any) -> None:
    assert decode_document(data) == expected


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_message"),
        (b"{", "invalid_json"),
        (b'"text"', "not_an_object"),
        (b"7", "not_an_object"),
        (b'{"a": {"b": 1, "b": 1}}', "duplicate_key"),
        (b'{"a":{"b":1,"b":1}}', "duplicate_key"),
        (b'{"a":{"b":1,"\\u0062":1}}', "duplicate_key"),
        (b'{"a": 1, "a": 2, "b": "\\u0022:"}', "duplicate_key"),
        (b'{"a": 1, "a": 2, "b": "\\"\\u003A"}', "duplicate_key"),
        (b'{"a": NaN}', "non_finite_number"),
        (b'{"a": "\xff"}', "invalid_utf8"),
        (b'{"a":' * 2000 + b"1" + b"}" * 2000, "nesting_too_deep"),
    ],
)
def test_refused(data: bytes, code: str) -> None:
    outcome = decode_document(data)
    assert isinstance(outcome, Rejection) and outcome.error_code == code
