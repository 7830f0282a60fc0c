"""The loader of the cases: every file is read, and a case cannot hold what nothing reads."""

from pathlib import Path

import pytest

from tests.support.claims import case_files
from tests.support.claims.case_files import AREAS, ROOT, load


def test_every_file_belongs_to_an_area() -> None:
    found = {path.stem for path in ROOT.iterdir()} - {"clean_claim"}
    assert found == set(AREAS)


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "a", "message": "", "error_code": "x", "comment": "unread"}',
        '{"message": "", "error_code": "x"}',
        '{"id": "a", "message": ""}',
        '{"id": "a", "message": "", "error_code": "x", "fields": {}}',
        '{"id": "a", "message": "", "fields": {}}\n{"id": "a", "message": "", "fields": {}}',
    ],
    ids=["unknown key", "missing key", "no outcome", "two outcomes", "id twice"],
)
def test_unclear_case_is_refused(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "decode.ndjson").write_text(line)
    monkeypatch.setattr(case_files, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="decode.ndjson"):
        load("decode")
