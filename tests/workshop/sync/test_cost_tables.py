"""The costs on the capacity page: from dated prices with a source, computed right."""

import copy
import datetime
import json
import re
from pathlib import Path
from typing import Any

import pytest

from workshop.sync import cost_tables
from workshop.sync.cost_tables import PRICES, Costs

DATA: dict[str, Any] = json.loads(PRICES.read_text())
PAGE = (Path(__file__).parents[3] / "docs/operate/capacity.md").read_text()


@pytest.mark.parametrize("name", DATA["prices"])
def test_each_price_has_source_and_date_and_is_on_the_page(name: str):
    price = DATA["prices"][name]
    assert price.keys() == {"what", "usd", "unit", "source", "as_of"}
    assert re.fullmatch(r"https://cloud\.google\.com/[a-z]+/pricing", price["source"])
    assert datetime.date.fromisoformat(price["as_of"])
    row = f"| {price['what']} | ${price['usd']} per {price['unit']} | {price['as_of']} | ["
    assert row in PAGE


def test_floor():
    """By hand: (2 vCPU x 0.069 + 8 GB x 0.003557) x 730 hours."""
    (machine,) = (each for each in DATA["machines"] if each["type"] == "n2-standard-2")
    assert Costs(DATA).floor(machine) == pytest.approx(121.51, abs=0.01)
    assert "| `n2-standard-2` | 2 | 8 GB | $122 |" in PAGE


def test_a_million_claims():
    """By hand: 1.08 GB at $40 a TiB; 0.54 GB at $0.018 a GB; 0.24 GB at $0.025 a GB."""
    services = Costs(DATA).services_of_million()
    assert services == pytest.approx(
        {"Pub/Sub": 0.03929, "Streaming Engine": 0.00905, "BigQuery": 0.00559}, abs=1e-5
    )
    assert Costs(DATA).services_of_million(inserts=True)["BigQuery"] == pytest.approx(0.0488, 0.01)


@pytest.mark.parametrize("rate, workers", [(0, 1), (1, 1), (33_000, 1), (34_000, 2), (90_000, 3)])
def test_workers(rate: float, workers: int):
    """A worker of 2 vCPUs at 60% has 1.2 s of CPU a second, for 36 us a claim."""
    data = {**DATA, "claim": {**DATA["claim"], "streaming_cpu_us": 36}}
    assert Costs(data).workers(rate, {"vcpus": 2}) == workers


def test_a_changed_price_changes_each_figure_that_rests_on_it(monkeypatch, tmp_path: Path):
    before = list(cost_tables.rows())
    changed = copy.deepcopy(DATA)
    changed["prices"]["pubsub"]["usd"] = "80"
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(changed))
    monkeypatch.setattr(cost_tables, "PRICES", path)
    after = list(cost_tables.rows())
    moved = [old for old, new in zip(before, after, strict=True) if old != new]
    # The price, the rows of both tables that hold it, and their sums.
    assert len(moved) == 1 + len(DATA["rates"]) + 2
