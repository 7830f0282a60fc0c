"""`claims report` on the emulator: what the page says, of how many rows, and to whom."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from claims_ops.report.measures import AGGREGATES, CLAIMS
from claims_ops.shared.queries import Queries
from tests.support.report_rows import DAY, Tables, tiles

pytestmark = pytest.mark.usefixtures("emulated")


def test_the_sums_are_those_of_the_tables(tables: Tables, tmp_path: Path, capsys):
    path = tmp_path / "report.html"
    good = [tables.claim(n, high_risk_flag=False, fraud_risk_score=0) for n in range(40)]
    risky = [tables.claim(n, provider_id="RISKY") for n in range(40, 43)]
    tables.add([*good, *risky], [tables.error(n) for n in range(5)])
    assert tables.report(path) == 0
    assert capsys.readouterr() == (f"Report written to {path}\n", "")
    page = path.read_text()
    shown = tiles(page)
    assert shown["Messages"] == "48"
    assert shown["Claims scored"] == "43"
    assert shown["Rejected"] == "5"
    assert shown["High risk"] == "3"
    assert shown["High-risk amount"] == "$18.1 k"
    assert "Provider RISKY has the most high-risk claims: 3 of 3." in page
    assert "are repeated" not in page


def test_a_range_of_time(tables: Tables, tmp_path: Path):
    tables.add([tables.claim(n) for n in range(30)], [tables.error(n) for n in range(30)])
    path = tmp_path / "report.html"
    assert tables.report(path, "--since", f"{DAY}T10:10", "--until", f"{DAY}T11:20") == 0
    shown = tiles(path.read_text())
    assert (shown["Claims scored"], shown["Rejected"]) == ("20", "20")
    assert f"rows made since {DAY} 10:10:00 UTC and before {DAY} 11:20:00 UTC" in path.read_text()


def test_repeated_rows_are_told(tables: Tables, tmp_path: Path):
    tables.add([tables.claim(1), tables.claim(1), tables.claim(2)], [tables.error(1)] * 2)
    path = tmp_path / "report.html"
    assert tables.report(path) == 0
    assert "<strong>2 rows are repeated.</strong>" in path.read_text()


def test_no_claim_leaves_unless_asked_for(tables: Tables, tmp_path: Path):
    path = tmp_path / "report.html"
    tables.add([tables.claim(7)], [tables.error(8)])
    secrets = ("CLAIM-", "PATIENT-", "6007.37", "6,007", "SECRET-")
    assert tables.report(path) == 0
    assert [secret for secret in secrets if secret in path.read_text()] == []
    assert path.stat().st_mode & 0o077 != 0  # an ordinary file, made private below
    assert tables.report(path, "--include-claims") == 0
    page = path.read_text()
    assert "CLAIM-7" in page and "PATIENT-7" in page and "6,007.37" in page
    assert "SECRET-" not in page and "CLAIM-E8" not in page
    assert "Health data" in page
    assert path.stat().st_mode & 0o077 == 0


def test_to_stdout(tables: Tables, capsys):
    assert tables.report(Path("-")) == 0
    assert capsys.readouterr().out.endswith("</html>\n")


def test_a_large_table_is_read_as_aggregates(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tables.client.query_and_wait(f"""
        INSERT INTO `{tables.dataset}.claims` (claim_id, patient_id, provider_id, claim_amount,
          claim_status, provider_region, fraud_risk_score, high_risk_flag, risk_reasons,
          quality_issues, message_id, publish_time, processing_timestamp)
        SELECT CONCAT('C', CAST(n AS STRING)), CONCAT('P', CAST(n AS STRING)),
          CONCAT('V', CAST(MOD(n, 7919) AS STRING)), CAST(MOD(n * 7919, 200000) AS NUMERIC), 'PAID',
          CONCAT('R', CAST(MOD(n, 500) AS STRING)), MOD(n, 101) / 100, MOD(n, 101) > 50,
          [CONCAT('r', CAST(MOD(n, 300) AS STRING))], [CONCAT('q', CAST(MOD(n, 300) AS STRING))],
          CAST(n AS STRING), TIMESTAMP_SECONDS(1790000000 + n * 60),
          TIMESTAMP_SECONDS(1790000002 + n * 60)
        FROM UNNEST(GENERATE_ARRAY(1, 200000)) AS n""")
    tables.client.query_and_wait(f"""
        INSERT INTO `{tables.dataset}.errors`
          (error_timestamp, stage, error_code, error, message_id)
        SELECT TIMESTAMP_SECONDS(1790000000 + n * 60), 'parse',
          CONCAT('code', CAST(MOD(n, 500) AS STRING)), CONCAT('e', CAST(MOD(n, 900) AS STRING)),
          CAST(n AS STRING)
        FROM UNNEST(GENERATE_ARRAY(1, 20000)) AS n""")
    answered: list[int] = []
    rows = Queries.rows

    def counting(*arguments: Any) -> Any:
        answer = rows(*arguments)
        answered.append(answer.total_rows)
        return answer

    monkeypatch.setattr(Queries, "rows", counting)
    path = tmp_path / "report.html"
    assert tables.report(path, "--include-claims") == 0
    shown = tiles(path.read_text())
    assert (shown["Claims scored"], shown["Rejected"]) == ("200,000", "20,000")
    assert len(answered) == len(AGGREGATES) + len([CLAIMS]) + len(("claims", "errors", "standing"))
    assert max(answered) <= 132  # cells of amount against score
    assert path.stat().st_size < 600_000


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (["--since", "yesterday"], 2, "--since"),
        (["--since", "2026-11-24", "--until", "2026-11-23"], 2, "--since must be before --until"),
        (
            ["--error-table", "local-project.x.errors"],
            1,
            "table local-project.x.errors does not exist",
        ),
        (["--output-table", "a`; DROP"], 2, "--output-table"),
        (["--output", "/no/such/directory/report.html"], 1, "/no/such/directory"),
    ],
)
def test_called_wrongly_it_says_so_in_one_line(
    arguments: list[str], code: int, said: str, tables: Tables, tmp_path: Path, capsys
):
    assert tables.report(tmp_path / "report.html", *arguments) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["jinja2", "vl_convert"])
def test_a_missing_package_is_one_line_with_the_remedy(
    package: str, tables: Tables, tmp_path: Path
):
    script = (
        f"import sys; sys.modules['{package}'] = None; from claims_ops.main import main;"
        "sys.exit(main(sys.argv[1:]))"
    )
    arguments = {
        "output-table": f"{tables.dataset}.claims",
        "error-table": f"{tables.dataset}.errors",
        "output": tmp_path / "report.html",
    }
    options = [f"--{name}={value}" for name, value in arguments.items()]
    command = [sys.executable, "-c", script, "report", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        f"claims: a report needs {package}, which is not installed; run make setup in a checkout\n"
    )
