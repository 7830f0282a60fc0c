"""The second JSONata engine, which tells what a map should give."""

import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.mapping.functions import References, functions


def evaluate(claim_map: ClaimMap, document: Any) -> Any:
    """What jsonata-python makes of a document."""
    limit = sys.getrecursionlimit()
    try:
        from jsonata import Jsonata  # its import raises the limit of the whole process

        references = References()
        references.enter(document)
        expression = Jsonata(claim_map.text)
        for name, function in functions(references).items():
            expression.register_lambda(name, partial(_call, function))
        return _plain(expression.evaluate(document))
    finally:
        sys.setrecursionlimit(limit)


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*map(_plain, arguments))


def _plain(value: Any) -> Any:
    """The engine's own lists and null as those of JSON."""
    return None if value is None else json.loads(json.dumps(value, default=_null))


def _null(value: Any) -> None:
    from jsonata.utils import Utils

    if value is not Utils.NULL_VALUE:
        raise TypeError(type(value))
