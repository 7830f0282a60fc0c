"""A claim map: a JSONata expression that makes claims of a document of another shape.

This module alone knows the engine. Evaluation is bounded, so that no document and no map can hold
a worker.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import resources
from typing import Any, Self

import jlens
import orjson

from pipeline.claims.document_text import DocumentError
from pipeline.claims.mapping.functions import MisuseError, References, distinct, functions
from pipeline.claims.mapping.resemblance import resemblance
from pipeline.claims.rejection import Rejection

STAGE = "map"
MAX_STEPS = 2_000_000
"""Steps of one evaluation, about a tenth of a second; a Bundle of 40 claims takes a hundredth of
them. This bound is the same on every machine."""
_TIMEOUT_SECONDS = 2.0
"""Bounds what counts as few steps and takes long, such as a regular expression gone astray."""
_MAX_DEPTH = 200
_MAX_ITEMS = 100_000
"""Items of an array, claims of a message among them: a message of 10 MiB holds fewer."""
_MAX_BYTES = 20 << 20
"""Bytes of a text and of a result."""
_SMALL_BYTES = 4_096
"""Of a message: the items in it are too few for anything to take long."""
_SMALL_ITEMS = 10_000
"""Items of an array that a map makes of a small message."""
_OF_TYPES = "T"
"""Begins JSONata's codes of values that are not of the type which a function or operator takes."""
_MAPS = resources.files("pipeline.claims.mapping").joinpath("maps")
_PACKAGED = {
    "csv_example": ("csv_example", ""),
    "fhir_r4_bundle": ("fhir_r4", '$kinds := ["Claim", "ExplanationOfBenefit"];'),
    "fhir_r4_claim": ("fhir_r4", '$kinds := ["Claim"];'),
    "fhir_r4_eob": ("fhir_r4", '$kinds := ["ExplanationOfBenefit"];'),
    "flat_json_example": ("flat_json_example", ""),
    "x12_837": ("x12_837", ""),
}
"""Each map by its name: its file, and what is defined before it."""
PACKAGED_MAPS = tuple(_PACKAGED)

NO_CLAIM = Rejection(STAGE, "no_claim", "the map found no claim in this document")
_NOT_CLAIMS = Rejection(
    STAGE, "map_failed", "the map returned neither a claim nor an array of claims"
)
_FUNCTIONS = frozenset(functions(References()))


class ClaimMap:
    """A compiled map. It pickles as its text, so that workers compile what the launch has checked.

    One instance serves one thread at a time: it knows the document that is being mapped.
    """

    def __init__(self, text: str) -> None:
        """Compile a JSONata expression.

        Raises:
            DocumentError: it is no JSONata, or calls for a function that nobody defines.
        """
        self.text = text
        self.version = hashlib.sha256(text.encode()).hexdigest()[:12]
        try:
            unknown = self._expression.reads()["bindings"].keys() - _FUNCTIONS
        except jlens.JlensError as error:
            raise DocumentError(_place(text, error), " ".join(str(error).split())) from None
        if unknown:
            names = ", ".join(f"${name}" for name in sorted(unknown))
            raise DocumentError("", f"not defined by JSONata or the map: {names}")

    @classmethod
    def packaged(cls, name: str) -> Self:
        """The map of this name that the package carries.

        Raises:
            KeyError: there is none.
        """
        document, head = _PACKAGED[name]
        text = _MAPS.joinpath(f"{document}.jsonata").read_text("utf-8")
        return cls(f"({head}\n{text})" if head else text)

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.text,)

    @cached_property
    def _references(self) -> References:
        return References()

    @cached_property
    def _expression(self) -> jlens.Expression:
        return self._compiled({})

    @cached_property
    def _expression_for_large(self) -> jlens.Expression:
        # The engine's own $distinct compares each item with every other, and the clock stands
        # still meanwhile; ours costs a microsecond more, which small documents need not pay.
        return self._compiled({"distinct": distinct})

    def _compiled(self, instead: dict[str, Callable[..., Any]]) -> jlens.Expression:
        expression = jlens.Expression(self.text)
        for name, function in (functions(self._references) | instead).items():
            expression.register_function(name, function)
        return expression

    def claims(self, document: Any, size: int = 0) -> Sequence[dict[str, Any]] | Rejection:
        """The claims in a document, none where the map says that there is nothing to have.

        `size` is that of its message in bytes. A rejection has JSONata's own error code, or how a
        function of ours is called, and no value of the document. Where a null is no value that the
        map can work with, the document is mapped as if that and all other fields that are null
        were missing.
        """
        try:
            try:
                result = self._evaluated(document, size)
            except jlens.JlensError as error:
                present = _without_nulls(document) if error.code.startswith(_OF_TYPES) else None
                if present is None:
                    raise
                result = self._evaluated(present, size)
        except jlens.JlensError as error:
            return Rejection(STAGE, "map_failed", f"the map failed with JSONata error {error.code}")
        except MisuseError as error:
            return Rejection(STAGE, "map_failed", f"the map failed: {error}")
        if type(result) is dict:
            return (result,)
        if result is None:
            return resemblance(document, STAGE) or NO_CLAIM
        if type(result) is list and all(type(claim) is dict for claim in result):
            return result
        return _NOT_CLAIMS

    def _evaluated(self, document: Any, size: int) -> Any:
        self._references.enter(document)
        is_small = size <= _SMALL_BYTES
        expression = self._expression if is_small else self._expression_for_large
        return expression.evaluate(
            document,
            timeout=_TIMEOUT_SECONDS,
            max_steps=MAX_STEPS,
            max_depth=_MAX_DEPTH,
            max_array_length=_SMALL_ITEMS if is_small else _MAX_ITEMS,
            max_string_length=_MAX_BYTES,
            max_result_size=_MAX_BYTES,
        )


def _without_nulls(document: Any) -> Any:
    """The document without fields that are null; None if it has none, or is nested 255 levels."""
    try:
        written = orjson.dumps(document)
    except orjson.JSONEncodeError:
        return None
    return json.loads(written, object_hook=_present) if b":null" in written else None


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _place(text: str, error: jlens.JlensError) -> str:
    position = error.position if error.start is None else error.start
    if position is None:
        return ""
    before = text[:position]
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"
