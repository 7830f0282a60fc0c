"""Faults that the tests of this folder inject."""

import functools
from typing import Any

import pytest

from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.formats import json_documents
from pipeline.claims.validate import ClaimValidator


def _claim_id(subject: Any) -> Any:
    return subject.get("claim_id") if isinstance(subject, dict) else subject


@pytest.fixture
def surprises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each step raise, on one message, an exception that quotes it."""

    def raising(owner: Any, name: str, stage: str, place: int) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        def replaced(*given: Any) -> Any:
            subjects = given[place] if isinstance(given[place], (list, tuple)) else [given[place]]
            if any(f"surprise-{stage}" in str(_claim_id(subject)) for subject in subjects):
                raise KeyError(repr(given))
            return original(*given)

        monkeypatch.setattr(owner, name, replaced)

    raising(json_documents, "decode", "parse", 0)
    raising(ClaimValidator, "validate", "validate", 1)
    raising(ClaimRows, "rows", "enrich", 2)
