"""The tables of costs in docs/operate/capacity.md, computed from prices.json."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PRICES = Path(__file__).with_name("prices.json")
_MB, _GB, _TIB = 2**20, 2**30, 2**40  # as Google's price pages count
_LEAST_ROW_BYTES = 1024
_MILLION = 1_000_000
_UNITS = {"GB": _GB, "TiB": _TIB, "200 MB": 200 * _MB}


class Costs:
    """What things cost, in US dollars."""

    def __init__(self, data: dict[str, Any]) -> None:
        """`data` is that of prices.json."""
        self.data = data
        self._claim = data["claim"]

    def usd(self, name: str) -> float:
        """The price of one unit."""
        return float(self.data["prices"][name]["usd"])

    def bytes_of_million(self, name: str, size: float) -> float:
        """What a service takes for `size` bytes of each of a million claims."""
        unit = _UNITS[self.data["prices"][name]["unit"]]
        return self.usd(name) * size * _MILLION / unit

    def services_of_million(self, *, inserts: bool = False) -> dict[str, float]:
        """What Pub/Sub, Streaming Engine and BigQuery take for a million claims."""
        message, row = self._claim["message_bytes"], self._claim["row_bytes"]
        bigquery = (
            self.bytes_of_million("streaming_inserts", max(row, _LEAST_ROW_BYTES))
            if inserts
            else self.bytes_of_million("storage_write", row)
        )
        return {
            "Pub/Sub": self.bytes_of_million("pubsub", 2 * message),  # published and delivered
            "Streaming Engine": self.bytes_of_million("streaming_engine", message),
            "BigQuery": bigquery,
        }

    def worker_hour(self, vcpus: float, memory_gb: float) -> float:
        """A streaming worker, without its disk."""
        return vcpus * self.usd("streaming_vcpu") + memory_gb * self.usd("memory")

    def workers_of_million(self, *, inserts: bool = False) -> float:
        """The busy time of workers for a million claims, at 4 GB a vCPU."""
        us: float = self._claim["streaming_inserts_cpu_us" if inserts else "streaming_cpu_us"]
        hours: float = us / self.data["cpu_share"] / 3600  # a microsecond of a million is a second
        return hours * self.worker_hour(1, 4)

    def floor(self, machine: dict[str, Any]) -> float:
        """A month of one worker that has nothing to do."""
        hours: int = self.data["hours_a_month"]
        return hours * self.worker_hour(machine["vcpus"], machine["memory_gb"])

    def workers(self, rate: float, machine: dict[str, Any]) -> int:
        """How many workers this many claims a second need."""
        busy: float = rate * self._claim["streaming_cpu_us"] / 1e6 / self.data["cpu_share"]
        vcpus: int = machine["vcpus"]
        return max(1, math.ceil(busy / vcpus))


def rows() -> Iterator[str]:
    """The tables, in Markdown."""
    data = json.loads(PRICES.read_text())
    costs = Costs(data)
    machines = {machine["type"]: machine for machine in data["machines"]}
    yield f"Prices in {data['region']}, in US dollars, without free tiers:"
    yield from ("", "| what | price | as of | source |", "|---|---:|---|---|")
    for each in data["prices"].values():
        place = each["source"].removeprefix("https://")
        price = f"${each['usd']} per {each['unit']}"
        yield f"| {each['what']} | {price} | {each['as_of']} | [{place}]({each['source']}) |"
    yield from (
        "",
        "**Minimum cost of a month**: one streaming worker that is idle all month.",
        "",
    )
    yield from ("| machine type | vCPUs | memory | per month |", "|---|---:|---:|---:|")
    for name, machine in machines.items():
        size = f"{machine['vcpus']} | {machine['memory_gb']:g} GB"
        yield f"| `{name}` | {size} | ${costs.floor(machine):,.0f} |"
    on = f"on `{data['rates_on']}`, with `STORAGE_WRITE_API`"
    yield from ("", f"**Cost of a month by rate**, {on}:", "")
    services = costs.services_of_million()
    yield f"| claims per second | claims per month | workers | {' | '.join(services)} | total |"
    yield f"|---:|---:|---:|{'---:|' * len(services)}---:|"
    for rate in data["rates"]:
        machine = machines[data["rates_on"]]
        millions = rate * 3600 * data["hours_a_month"] / 1e6
        workers = costs.workers(rate, machine)
        parts = [workers * costs.floor(machine), *(millions * each for each in services.values())]
        shown = " | ".join(f"${part:,.2f}" if part < 10 else f"${part:,.0f}" for part in parts[1:])
        month = f"{millions:,.{1 if millions < 100 else 0}f} million"
        fixed = f"{workers}: ${parts[0]:,.0f}"
        yield f"| {rate:,} | {month} | {fixed} | {shown} | **${sum(parts):,.0f}** |"
    yield from ("", "**Cost of a million claims**, while workers are busy:", "")
    yield from ("| | STORAGE_WRITE_API | STREAMING_INSERTS |", "|---|---:|---:|")
    both = [
        {**costs.services_of_million(inserts=i), "workers": costs.workers_of_million(inserts=i)}
        for i in (False, True)
    ]
    for name in both[0]:
        yield f"| {name} | ${both[0][name]:.3f} | ${both[1][name]:.3f} |"
    sums = [sum(each.values()) for each in both]
    yield f"| **total** | **${sums[0]:.3f}** | **${sums[1]:.3f}** |"
