"""The dashboard and the alert policies: Google's own types read them, and what they name exists."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from google.cloud.monitoring_dashboard_v1 import Dashboard
from google.cloud.monitoring_v3 import AlertPolicy
from google.protobuf.json_format import ParseDict

from pipeline.transforms.metrics import METRICS, Metric
from tests.support.docs import judges
from tests.support.google.gcloud import Gcloud, unknown_to_gcloud
from tests.support.promql import GOOGLE, functions, mistakes, promql_name, selectors

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "monitoring/dashboard.json"
ALERTS = sorted((ROOT / "monitoring/alerts").glob("*.json"))
FILES = {path.stem: path for path in (DASHBOARD, *ALERTS)}
ALERTED_ON = {
    "oldest_unacked",
    "rejection_share",
    "no_data",
    "sink_failing",
    "job_failed",
    "errors_growing",
    "dead_letters",
}
FILLED = {
    "PROJECT": "my-project",
    "REGION": "us-central1",
    "JOB_ID": "2026-01-01_00_00_00-1",
    "CODE": "invalid_json",
    "COUNT": "2000",
    "TIME": "2026-11-23",
}
"""What people put in place of the words in capitals."""
WATCHED = {
    "received",
    "rejected_{stage}_{error_code}",
    "high_risk",
    "append_latency_ms",
    "append_requests",
    "append_retries_{reason}",
}


def content(path: Path) -> Any:
    return json.loads(path.read_text())


def queries(document: Any) -> Iterator[str]:
    """All queries of a file."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key in ("query", "prometheusQuery"):
                yield value
            else:
                yield from queries(value)
    elif isinstance(document, list):
        for item in document:
            yield from queries(item)


def test_the_dashboard_is_a_dashboard():
    parsed = Dashboard.wrap(ParseDict(content(DASHBOARD), Dashboard.pb()()))
    tiles = parsed.mosaic_layout.tiles
    for tile in tiles:
        scorecard, chart = tile.widget.scorecard, tile.widget.xy_chart
        assert tile.widget.title
        assert chart.data_sets or scorecard.time_series_query.prometheus_query
    cards = [tile for tile in tiles if tile.widget.scorecard]
    assert len(cards) == 6
    charts = [tile for tile in tiles if tile not in cards]
    assert max(card.y_pos + card.height for card in cards) <= min(each.y_pos for each in charts)
    taken = [(x, y) for tile in tiles for x, y in squares(tile)]
    assert len(taken) == len(set(taken)), "tiles overlap"
    assert max(x for x, _ in taken) < parsed.mosaic_layout.columns


def squares(tile: Any) -> Iterator[tuple[int, int]]:
    for x in range(tile.x_pos, tile.x_pos + tile.width):
        for y in range(tile.y_pos, tile.y_pos + tile.height):
            yield x, y


def test_there_is_an_alert_for_each_symptom():
    assert {path.stem for path in ALERTS} == ALERTED_ON


@pytest.mark.parametrize("path", ALERTS, ids=lambda path: path.stem)
def test_an_alert_is_an_alert_policy_with_a_runbook(path: Path):
    parsed = AlertPolicy.wrap(ParseDict(content(path), AlertPolicy.pb()()))
    assert parsed.severity != AlertPolicy.Severity.SEVERITY_UNSPECIFIED
    assert parsed.combiner == AlertPolicy.ConditionCombinerType.OR
    for condition in parsed.conditions:
        promql = condition.condition_prometheus_query_language
        assert promql.evaluation_interval.total_seconds() >= 30
        assert promql.duration.total_seconds() % promql.evaluation_interval.total_seconds() == 0
    assert parsed.documentation.mime_type == "text/markdown"
    for part in ("**What it means.**", "**What to check.**", "**What to do.**"):
        assert part in parsed.documentation.content


def test_runbooks_can_be_followed_from_a_mail(tmp_path: Path):
    """They have whole commands, which their programs take once the words in capitals are filled."""
    found: list[tuple[str, list[str]]] = []
    for path in ALERTS:
        text = content(path)["documentation"]["content"]
        commands = re.findall(r"(?m)^ {4,}((?:gcloud|claims) .+)$", text)
        commands += re.findall(r"`((?:gcloud|claims) [^`\s]+ [^`]+)`", text)
        assert commands, path.stem
        for command in commands:
            filled = command
            for name, value in FILLED.items():
                filled = re.sub(rf"\b{name}\b", value, filled)
            assert "PROJECT" in command or "--without" in command, command
            found.append((path.stem, shlex.split(filled)))
    complaints = {
        shlex.join(words): judges.claims(words[1:]) for _, words in found if words[0] == "claims"
    }
    assert {command: said for command, said in complaints.items() if said} == {}
    assert unknown_to_gcloud(Gcloud(tmp_path), found) == []


@pytest.mark.parametrize("path", ALERTS, ids=lambda path: path.stem)
def test_a_runbook_names_files_and_alerts_that_exist(path: Path):
    text = content(path)["documentation"]["content"]
    for name in re.findall(r"`((?:sql|docs|monitoring)/[\w/.]+)`", text):
        assert (ROOT / name).exists(), name
    titles = {content(each)["displayName"] for each in ALERTS}
    assert set(re.findall(r"\*(Claims: [^*]+)\*", text)) <= titles


@pytest.mark.parametrize("name", FILES)
def test_what_a_query_names_exists(name: str):
    asked = list(queries(content(FILES[name])))
    assert asked
    for query in asked:
        assert mistakes(query, METRICS) == [], query


@pytest.mark.parametrize("name", FILES)
def test_growing_gauges_are_taken_as_differences(name: str):
    """Google's list says GAUGE for all of them, of which PromQL's `rate` makes no sense."""
    for query in queries(content(FILES[name])):
        parsed = promql_parser.parse(query)
        for selector, over_time in selectors(parsed):
            [kind] = (
                metric["kind"]
                for metric_type, metric in GOOGLE["metrics"].items()
                if promql_name(metric_type) == selector.name
            )
            assert kind == "GAUGE"
            assert not over_time or "delta" in functions(parsed)
        assert set(functions(parsed)) <= {"delta"}


def test_all_of_googles_list_is_used():
    used = {
        selector.name
        for path in FILES.values()
        for query in queries(content(path))
        for selector, _ in selectors(promql_parser.parse(query))
    }
    assert used == set(map(promql_name, GOOGLE["metrics"]))


@pytest.mark.parametrize("watched", sorted(WATCHED))
def test_a_renamed_metric_is_missed(watched: str):
    renamed = [
        replace(each, name=f"new_{each.name}") if each.name == watched else each for each in METRICS
    ]
    asked = [query for path in FILES.values() for query in queries(content(path))]
    assert any(mistakes(query, renamed) for query in asked)


def test_mistakes_are_found():
    ours = 'dataflow_googleapis_com:job_user_counter{metric_name="%s"}'
    lag = Metric("lag_ms", "Lag.", is_distribution=True)
    assert mistakes(ours % "lag_ms_MAX", [lag]) == []
    assert mistakes(ours % "lag_ms", [lag]) == ["lag_ms is none of our metrics"]
    assert mistakes("dataflow_googleapis_com:job_lag", []) == [
        "dataflow_googleapis_com:job_lag is none of Google's metrics"
    ]
    assert mistakes('dataflow_googleapis_com:job_system_lag{stage="F0"}', []) == [
        "dataflow_googleapis_com:job_system_lag has no label stage"
    ]
