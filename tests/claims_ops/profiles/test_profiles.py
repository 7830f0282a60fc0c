"""The SQL of profiles says what a plain reference says, and `claims profiles` writes it."""

import io
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner
from google.cloud import bigquery

from claims_ops.main import claims as claims_command
from pipeline.claims.contract import Contract
from pipeline.claims.signals.amounts import ClaimPercentiles
from pipeline.claims.signals.provider_profile import MEASURES, NAMES, ProviderProfiles
from pipeline.claims.tables import TableName, claims_table
from pipeline.sinks.bigquery.table_setup import TableSetup
from workshop.benchmarks.detection.profiles import ClaimTable

AS_OF = date(2026, 6, 30)
Claim = dict[str, Any]
ODD_IDS = {8: "PRV-2 ", 9: "P\r9", 10: 'P"\n,10'}
"""A producer's ids may be like these; of one, the whole file was once refused."""


def random_claims(seed: int, count: int = 300) -> list[Claim]:
    rng = Random(seed)
    claims = []
    for number in range(count):
        provider = rng.randrange(14)
        service = AS_OF - timedelta(days=rng.randrange(-5, 190))
        stay = rng.choice((None, 0, 3, 12))
        claim = {
            "claim_id": f"C{number}",
            "patient_id": f"P{rng.randrange(4)}",
            "provider_id": ODD_IDS.get(provider, f"PRV-{provider}"),
            # Seven of one peer group, and others that are too few for one.
            "provider_specialty": "cardiology" if provider < 7 else f"other {provider % 3}",
            "provider_region": None if provider == 13 else "CA",
            "claim_type": rng.choice((None, "professional", "institutional")),
            "claim_amount": float(rng.randrange(1, 9) * 100),
            "claim_status": "SUBMITTED",
            "service_date": service.isoformat(),
            "service_end_date": None
            if stay is None
            else (service + timedelta(days=stay)).isoformat(),
            "admission_date": rng.choice((None, (service - timedelta(days=1)).isoformat())),
            "submission_date": service.isoformat(),
            "procedure_codes": rng.choice((["99213"], ["99213", "36415"], [])),
        }
        claims.append(claim)
    return claims


def reference(claims: Iterable[Claim]) -> dict[str, dict[str, float | None]]:
    """Every profile, by plain Python."""
    by_provider = defaultdict(list)
    for claim in claims:
        age = (AS_OF - date.fromisoformat(claim["service_date"])).days
        if 0 <= age < 180:
            by_provider[claim["provider_id"]].append((age, claim))
    found = {provider: _measures(aged) for provider, aged in by_provider.items()}
    peers = {p: _peers(aged[0][1]) for p, aged in by_provider.items()}
    for name in MEASURES:
        having = {p: each[name] for p, each in found.items() if each[name] is not None}
        sizes = Counter(peers[p] for p in having)
        for provider, value in having.items():
            among = [
                other
                for p, other in having.items()
                if sizes[peers[provider]] < 5 or peers[p] == peers[provider]
            ]
            rank = 1 + sum(other < value for other in among)
            found[provider][f"{name}_percentile"] = (rank - 0.5) / len(among)
    return found


def _measures(aged: list[tuple[int, Claim]]) -> dict[str, float | None]:
    last = [claim for age, claim in aged if age < 90]
    before = sum(claim["claim_amount"] for age, claim in aged if age >= 90)
    patients = {claim["patient_id"] for claim in last}
    distinct = {
        (claim["patient_id"], claim["service_date"], *claim["procedure_codes"]) for claim in last
    }
    stays = [_stay(claim) for claim in last if claim["service_end_date"]]
    amount = sum(claim["claim_amount"] for claim in last)
    return {
        "amount_30d": sum(claim["claim_amount"] for age, claim in aged if age < 30),
        "amount_90d": amount,
        "claims_30d": sum(age < 30 for age, _ in aged),
        "patients_90d": len(patients),
        "claims_per_patient": len(last) / len(patients) if patients else None,
        "longest_stay_90d": max(stays, default=None),
        "growth": amount / before if before else None,
        "duplicate_share": 1 - len(distinct) / len(last) if last else None,
    }


def _stay(claim: Claim) -> int:
    start = claim["admission_date"] or claim["service_date"]
    return (date.fromisoformat(claim["service_end_date"]) - date.fromisoformat(start)).days


def _peers(claim: Claim) -> tuple[str, str]:
    return claim["provider_specialty"] or "", claim["provider_region"] or ""


def assert_equal(read: ProviderProfiles, expected: dict[str, dict[str, float | None]]) -> None:
    assert read.size == len(expected)
    for provider, values in expected.items():
        for place, name in enumerate(NAMES):
            value = read.value(place, provider)
            assert value == pytest.approx(values.get(name)), (provider, name)


@pytest.mark.parametrize("seed", range(8))
def test_profiles_are_what_plain_python_says(seed: int) -> None:
    claims = random_claims(seed, 40 if seed % 2 else 300)
    table = ClaimTable(claims)
    assert_equal(table.provider_profiles(AS_OF, all_claims=True), reference(claims))


def test_percentiles_of_amounts() -> None:
    """Twenty providers bill 1 to 100 dollars; the highest amount is above all but one percent."""
    claims = [
        {
            **random_claims(0, 1)[0],
            "claim_id": f"C{number}",
            "provider_id": f"PRV-{number % 20}",
            "claim_amount": number % 100 + 1.0,
            "claim_type": "professional",
            "provider_specialty": "cardiology",
            "service_date": AS_OF.isoformat(),
            "submission_date": AS_OF.isoformat(),
        }
        for number in range(2_000)
    ]
    table = ClaimTable(claims).claim_percentiles(AS_OF)
    amounts = table.amounts("professional", "cardiology", "CA")
    assert amounts is not None
    assert amounts[0] == 1
    assert amounts[-1] == 100
    assert 48 <= amounts[50] <= 53
    assert table.amounts("dental", "x", "y") == amounts  # of all claims


def lines_of(path: Path) -> Iterable[str]:
    """As workers read them: they end with line feeds alone."""
    return io.StringIO(path.read_bytes().decode(), newline="\n")


def test_groups_that_differ_in_a_blank_are_two() -> None:
    header = "percentiles,claim_type,provider_specialty,provider_region"
    lines = [header, "1 2,professional,,", "3 4,professional, , "]
    table = ClaimPercentiles(lines)
    assert table.amounts("professional", "cardiology", "CA") == (1, 2)
    assert table.amounts("professional", " ", " ") == (3, 4)


@pytest.fixture
def filled(bigquery_client: bigquery.Client, dataset: str) -> tuple[TableName, list[Claim]]:
    name = TableName.parse(f"{dataset}.claims")
    TableSetup(bigquery_client, create=True).ensure(name, claims_table(Contract.default()))
    claims = random_claims(1, 60)
    rows = [claim | {"processing_timestamp": "2026-07-01T00:00:00Z"} for claim in claims]
    assert not bigquery_client.insert_rows_json(str(name), rows)
    return name, claims


def run(*arguments: str) -> Any:
    # By way of the group: a command that is called alone keeps its help without -h.
    return CliRunner().invoke(claims_command, ["profiles", *arguments], catch_exceptions=False)


def test_command_writes_files_that_workers_read(
    filled: tuple[TableName, list[Claim]],
    bigquery_client: bigquery.Client,
    bigquery_server: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable, value in bigquery_server.environment.items():
        monkeypatch.setenv(variable, value)
    name, claims = filled
    asked = ("--output-table", str(name), "--to", str(tmp_path), "--as-of", AS_OF.isoformat())
    result = run(*asked)
    assert result.exit_code == 0, result.output
    assert (
        f"view {name}_current does not exist, so every version of a claim is counted"
        in result.stderr
    )
    assert_equal(ProviderProfiles(lines_of(tmp_path / "provider_profile.csv")), reference(claims))
    percentiles = ClaimPercentiles(lines_of(tmp_path / "claim_percentiles.csv"))
    assert percentiles.amounts("", "", "") is not None
    # If the view of current claims exists, it is what counts.
    bigquery_client.query_and_wait(
        f"CREATE VIEW `{name}_current` AS SELECT * FROM `{name}` WHERE provider_id != 'PRV-1'"
    )
    result = run(*asked)
    assert result.exit_code == 0, result.output
    read = ProviderProfiles(lines_of(tmp_path / "provider_profile.csv"))
    assert read.value(0, "PRV-1") is None
    assert read.value(0, "PRV-2") is not None


def test_scheduled_query_exports_both_files() -> None:
    result = run("--output-table", "p-roject.d.claims", "--to", "gs://b/ref/", "--scheduled-query")
    assert result.exit_code == 0
    assert result.stdout.count("EXPORT DATA OPTIONS") == 2
    for name in ("provider_profile", "claim_percentiles"):
        assert f"uri = 'gs://b/ref/{name}-*.csv'" in result.stdout
    assert "FROM `p-roject.d.claims_current`" in result.stdout
    assert "service_date <= @run_date" in result.stdout
    assert "${" not in result.stdout
    refused = run("--output-table", "p-roject.d.claims", "--to", "here", "--scheduled-query")
    assert refused.exit_code == 2


def test_no_claims_are_no_profiles() -> None:
    table = ClaimTable([])
    assert table.provider_profiles(AS_OF).size == table.claim_percentiles(AS_OF).size == 0
