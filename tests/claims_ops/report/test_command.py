"""`claims report` on the emulator: what the page says, of how many rows, and to whom."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from claims_ops.report.measures import (
    CLAIMS,
    MAX_TREND_STEPS,
    OF_CLAIMS,
    OF_PROCESSING,
    OF_PROVIDERS,
    PROVIDERS,
)
from claims_ops.shared.queries import Queries
from tests.support.report_rows import DAY, Tables, sections, tiles

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
    assert "are repeats" not in page


def test_a_range_of_time(tables: Tables, tmp_path: Path):
    tables.add([tables.claim(n) for n in range(30)], [tables.error(n) for n in range(30)])
    path = tmp_path / "report.html"
    assert tables.report(path, "--since", f"{DAY}T10:10", "--until", f"{DAY}T11:20") == 0
    shown = tiles(path.read_text())
    assert (shown["Claims scored"], shown["Rejected"]) == ("20", "20")
    assert (
        f"rows written since {DAY} 10:10:00 UTC and before {DAY} 11:20:00 UTC" in path.read_text()
    )


def test_repeated_rows_are_told(tables: Tables, tmp_path: Path):
    tables.add([tables.claim(1), tables.claim(1), tables.claim(2)], [tables.error(1)] * 2)
    path = tmp_path / "report.html"
    assert tables.report(path) == 0
    assert "<strong>2 rows are repeats.</strong>" in path.read_text()


def test_no_claim_leaves_unless_asked_for(tables: Tables, tmp_path: Path):
    path = tmp_path / "report.html"
    tables.add([tables.claim(7), tables.claim(14)], [tables.error(8)])
    secrets = ("CLAIM-", "PATIENT-", "6007.37", "6,007", "SECRET-")
    outputs = {
        path: [],
        tmp_path / "provider.html": ["--provider=PRV0"],
        tmp_path / "figures.json": ["--json"],
        tmp_path / "by_service.html": ["--by=service_date"],
    }
    for output, options in outputs.items():
        assert tables.report(output, *options) == 0
        assert [secret for secret in secrets if secret in output.read_text()] == [], options
        assert output.stat().st_mode & 0o077 != 0  # an ordinary file, made private below
    for output in (path, tmp_path / "provider.html"):
        assert tables.report(output, *outputs[output], "--include-claims") == 0
        page = output.read_text()
        assert "CLAIM-7" in page and "PATIENT-7" in page and "6007.37" in page.replace(",", "")
        assert "SECRET-" not in page and "CLAIM-E8" not in page
        assert "Health data" in page
        assert output.stat().st_mode & 0o077 == 0


def test_no_claim_leaves_in_a_folder_of_pages(tables: Tables, tmp_path: Path, capsys):
    tables.add([tables.claim(n, risk_reasons=[f"rule_{n % 7}"]) for n in range(14)], [])
    (tmp_path / "provider-77.html").write_text("of a report with more providers")
    for options in ([], ["--include-claims"]):
        assert tables.pages(tmp_path, *options) == 0
        assert capsys.readouterr().out == f"Report written to {tmp_path / 'index.html'}\n"
        pages = {path.name: path for path in tmp_path.iterdir()}
        links = re.findall(r'href="(provider-[^"]+)"', pages["index.html"].read_text())
        assert {*pages} == {"index.html", *links} and len(links) > 3
        assert {f"PRV{n}" in "".join(pages) for n in range(7)} == {False}
        for path in pages.values():
            page = path.read_text()
            assert ("CLAIM-" in page, "PATIENT-" in page) == (bool(options), bool(options))
            assert "SECRET-" not in page
            assert (path.stat().st_mode & 0o077 == 0) == bool(options)
        assert 'href="index.html"' in pages[links[0]].read_text()


def test_by_a_date_of_the_claim(tables: Tables, tmp_path: Path):
    claims = [tables.claim(n, service_date=f"2026-0{n % 9 + 1}-15") for n in range(36)]
    tables.add([*claims, tables.claim(99)], [tables.error(1)])
    path = tmp_path / "report.html"
    assert tables.report(path, "--by=service_date", "--since=2026-03-15", "--until=2026-05-01") == 0
    page = path.read_text()
    shown = tiles(page)
    assert shown["Claims scored"] == "8"
    assert "Rejected" not in shown and "Latency, median" not in shown
    assert {"rejections", "violations", "latency"}.isdisjoint(sections(page))
    assert "2026-03-15 to 2026-04-15" in re.sub("<[^>]+>", "", page)
    assert "0% from the previous period" in page  # as many in the 47 days before


def test_a_backfill_has_no_panels_of_processing_time(tables: Tables, tmp_path: Path):
    claims = [
        tables.claim(n, publish_time=None, service_date=f"2026-0{n % 9 + 1}-15") for n in range(36)
    ]
    tables.add(claims, [tables.error(1)])
    path = tmp_path / "report.html"
    assert tables.report(path) == 0
    page = path.read_text()
    assert "latency" not in sections(page) and "Latency, median" not in tiles(page)
    assert tiles(page)["Rejected"] == "1"
    assert "Claims by date of service" in page
    assert page.count("2026-09") > 0
    tables.add([tables.claim(50)], [])
    assert tables.report(path) == 0
    assert "latency" in sections(path.read_text())


def test_change_against_the_period_before(tables: Tables, tmp_path: Path):
    day, before = "2026-11-23T12:00:00Z", "2026-11-22T12:00:00Z"
    claims = [tables.claim(n, processing_timestamp=before) for n in range(10)]
    claims += [tables.claim(n, processing_timestamp=day) for n in range(10, 25)]
    tables.add(claims, [])
    path = tmp_path / "report.html"
    assert tables.report(path, "--since=2026-11-23", "--until=2026-11-24") == 0
    assert (
        path.read_text().count("+50% from the previous period") == 3
    )  # claims, high risk, its amount
    assert tables.report(path) == 0
    assert "from the previous period" not in path.read_text()


def test_what_stands_out_is_no_maximum(tables: Tables, tmp_path: Path):
    path = tmp_path / "figures.json"
    errors = [tables.error(n, error_timestamp=f"{DAY}T10:{n:02}:00Z") for n in range(60)]
    tables.add([tables.claim(n) for n in range(60)], errors)
    assert tables.report(path, "--json") == 0
    assert json.loads(path.read_text())["findings"] == []
    exactly = [
        tables.claim(
            n,
            fraud_risk_score=0.5,
            high_risk_flag=False,
            synthetic_label_is_fraud=1,
            provider_id="RINGS",
            risk_reasons=["duplicate_line"],
        )
        for n in range(100, 130)
    ]
    late = [
        tables.error(n, error_code="late", error_timestamp=f"{DAY}T10:59:00Z") for n in range(20)
    ]
    tables.add(exactly, late)
    assert tables.report(path, "--json") == 0
    figures = json.loads(path.read_text())
    first, second, third, fourth = figures["findings"]
    assert first.startswith("duplicate_line sets RINGS (30 of 30 claims) apart")
    assert (
        "fires on none of their peers' claims, and 100.0% of its 30 judged claims were improper"
        in first
    )
    assert second.startswith("30 claims have a score equal to the threshold, 0.5")
    assert third.startswith("A threshold of 0.4 gives the best balance")
    assert fourth.startswith("Rejections with late jumped: 20 (")
    at = {row["threshold"]: row for row in figures["thresholds"]}
    assert (at[0.5]["claims"], at[0.5]["claims_at_threshold"], at[0.5]["improper"]) == (60, 30, 0)
    assert (at[0.4]["claims"], at[0.4]["improper"], at[0.4]["all_improper"]) == (90, 30, 30)


def test_reasons_that_are_rarely_right_come_last(tables: Tables, tmp_path: Path):
    usual = [tables.claim(n, risk_reasons=[], synthetic_label_is_fraud=0) for n in range(70)]
    wrong = [
        tables.claim(
            n, provider_id="WRONG", risk_reasons=["profile"], synthetic_label_is_fraud=int(n == 70)
        )
        for n in range(70, 130)
    ]
    right = [
        tables.claim(
            n,
            provider_id="RIGHT",
            risk_reasons=["line"] if n < 142 else [],
            synthetic_label_is_fraud=int(n < 142),
        )
        for n in range(130, 170)
    ]
    tables.add([*usual, *wrong, *right], [])
    path = tmp_path / "figures.json"
    assert tables.report(path, "--json") == 0
    figures = json.loads(path.read_text())
    ranked = {row["provider_id"]: row for row in figures["providers"]}
    assert [*ranked] == ["RIGHT", "WRONG"]
    assert ranked["RIGHT"]["distance"] < ranked["WRONG"]["distance"]
    rules = [row["rule"] for row in figures["rules_fired"] if row["kind"] == "risk"]
    assert rules == ["line", "profile"]


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
          [CONCAT('r', CAST(MOD(MOD(n, 7919), 60) AS STRING))],
          [CONCAT('q', CAST(MOD(n, 300) AS STRING))],
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
    totals = ("claims", "errors", "current")
    asked = (*OF_CLAIMS, *OF_PROCESSING, *OF_PROVIDERS, CLAIMS, *totals)
    assert len(answered) == len(asked)
    assert max(answered) <= PROVIDERS * MAX_TREND_STEPS
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
        (["--by", "birthday"], 2, "--by"),
        (["--pages", "report"], 2, "--pages cannot be combined with --output"),
        (["--provider", "nobody"], 1, "the provider has no claims in this range"),
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
