"""Documents that are no claims of the contract, recognised by their shape."""

from typing import Any

from pipeline.claims.formats.x12 import separators
from pipeline.claims.rejection import Rejection

_FHIR_MAPS = {
    "Claim": "fhir_r4_claim",
    "ExplanationOfBenefit": "fhir_r4_eob",
    "Bundle": "fhir_r4_bundle",
}
_HEAD_BYTES = 4_096
_X12_BEGINNINGS = (b"ISA", b"GS*", b"ST*")


def resemblance(document: Any, stage: str) -> Rejection | None:
    """The rejection of a document of a known shape that came without its map; None of others."""
    kind = document.get("resourceType") if type(document) is dict else None
    if type(kind) is not str or "claim_id" in document or kind not in _FHIR_MAPS:
        return None
    shape = f"a FHIR R4 {kind}"
    return _no_claim(stage, shape, f"claim_map={_FHIR_MAPS[kind]}")


def x12_resemblance(data: bytes, stage: str) -> Rejection | None:
    """The same of a message that begins as X12."""
    beginning = data[:_HEAD_BYTES].lstrip()
    if not beginning.startswith(_X12_BEGINNINGS) or separators(beginning) is None:
        return None
    return _no_claim(stage, "X12", "input_format=X12")


def _no_claim(stage: str, shape: str, remedy: str) -> Rejection:
    text = f"the message looks like {shape}; launch with {remedy}"
    return Rejection(stage, "no_claim", text)
