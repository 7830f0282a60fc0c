"""What the queries of `monitoring/` ask for, as a PromQL parser reads them."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import promql_parser
from promql_parser import MatchOp

from pipeline.transforms.metrics import Metric

GOOGLE: Mapping[str, Any] = json.loads(
    (Path(__file__).parents[1] / "cases/monitoring/google_metrics.json").read_text()
)
"""Google's metrics that the files may name, and the labels of their resources."""
_OURS = "dataflow.googleapis.com/job/user_counter"
_OF_A_DISTRIBUTION = ("_MIN", "_MAX", "_MEAN", "_COUNT")


def promql_name(metric_type: str) -> str:
    """The name of one of Google's metrics in PromQL."""
    service, _, path = metric_type.partition("/")
    return ":".join(re.sub(r"\W", "_", part) for part in (service, path))


def selectors(expression: Any) -> Iterator[tuple[Any, bool]]:
    """Each selector of a query, and whether it asks for a stretch of time."""
    if isinstance(expression, promql_parser.MatrixSelector):
        yield expression.vector_selector, True
    elif isinstance(expression, promql_parser.VectorSelector):
        yield expression, False
    else:
        for name in ("expr", "lhs", "rhs"):
            if hasattr(expression, name):
                yield from selectors(getattr(expression, name))
        for argument in getattr(expression, "args", ()):
            yield from selectors(argument)


def functions(expression: Any) -> Iterator[str]:
    """The functions that a query calls."""
    if isinstance(expression, promql_parser.Call):
        yield expression.func.name
        for argument in expression.args:
            yield from functions(argument)
    for name in ("expr", "lhs", "rhs"):
        if hasattr(expression, name):
            yield from functions(getattr(expression, name))


def mistakes(query: str, metrics: Sequence[Metric]) -> list[str]:
    """What a query names that neither `metrics` nor Google's list has."""
    names = {promql_name(metric_type): metric_type for metric_type in GOOGLE["metrics"]}
    found = []
    for selector, _ in selectors(promql_parser.parse(query)):
        metric_type = names.get(selector.name)
        if metric_type is None:
            found.append(f"{selector.name} is none of Google's metrics")
            continue
        metric = GOOGLE["metrics"][metric_type]
        labels = {*metric["labels"], *GOOGLE["resources"][metric["resource"]]}
        asked = {matcher.name: matcher for matcher in selector.matchers.matchers}
        found += [f"{selector.name} has no label {name}" for name in asked.keys() - labels]
        if metric_type == _OURS and not any(_matches(asked["metric_name"], metrics)):
            found.append(f"{asked['metric_name'].value} is none of our metrics")
    return found


def _matches(matcher: Any, metrics: Sequence[Metric]) -> Iterator[bool]:
    pattern = matcher.value if matcher.op == MatchOp.Re else re.escape(matcher.value)
    for metric in metrics:
        example = re.sub(r"\{\w+\}", "x", metric.name.replace("{stage}", "write"))
        told = [example + each for each in _OF_A_DISTRIBUTION]
        for name in told if metric.is_distribution else [example]:
            yield re.fullmatch(pattern, name) is not None
