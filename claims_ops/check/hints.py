"""What to do about documents in another shape or in one piece, in words without a value."""

import codecs
import re
from collections.abc import Iterator

from claims_ops.shared.message_files import Placed
from pipeline.claims.contract import Contract
from pipeline.claims.mapping.claim_map import PACKAGED_MAPS, ClaimMap
from pipeline.claims.mapping.functions import AMOUNTS
from pipeline.claims.message import Unreadable
from pipeline.claims.rejection import Rejection

_ARRAY = (
    "A JSON array is not a claim. Write each claim on a line of its own"
    " (jq -c '.[]' FILE), or pass --map with a file that holds only `$`: then each item is a claim."
    " A map for items with a different structure begins with `$.{`."
)
_ARRAY_FOR_A_MAP = (
    "If a message is a JSON array, the map receives the whole array. Begin the map with `$.{`"
    " instead of `{` to turn each item into a claim (docs/start/maps.md)."
)
_ONE_DOCUMENT = (
    "A file that contains a single JSON document spread over several lines was checked as one"
    " Pub/Sub message. A backfill reads each line as a message: first write the document on one"
    " line (jq -c . FILE)."
)
_FOREIGN = (
    "Documents that lack most required fields do not have the shape that the claim schema"
    f" describes. Pass a claim map with --map ({', '.join(PACKAGED_MAPS)}), or write one:"
    " docs/start/maps.md."
)
_KNOWN_SHAPE = re.compile(r"looks like (.+); launch with (claim_map|input_format)=(\w+)")
_OPTIONS = {"claim_map": "--map", "input_format": "--format"}
_MONEY = (
    f"The map's $money takes {AMOUNTS}. It leaves anything else unchanged, so strip currency"
    ' symbols and separators first: $money($replace(amount, /[$,]/, "")).'
)
SKIPPED = (
    "The map skipped every document, because none contains a claim that the map accepts. Of the"
    " FHIR maps, fhir_r4_claim accepts Claims, fhir_r4_eob accepts ExplanationOfBenefits, and"
    " fhir_r4_bundle accepts both."
)


def of_file(placed: Placed, claim_map: ClaimMap | None) -> Iterator[str]:
    """About how a message stands in its file."""
    message = placed.message
    # Only of a whole file is the place without a line.
    is_whole = message.message_id == f"{placed.place}:0"
    if not is_whole or isinstance(message.data, Unreadable):
        return
    if claim_map or not _is_array(message.data):  # without a map, an array is rejected anyway
        yield _ONE_DOCUMENT


def of_rejection(
    rejection: Rejection, data: bytes, contract: Contract, claim_map: ClaimMap | None
) -> Iterator[str]:
    """About the message of a rejection."""
    broken = [(each.rule, each.field) for each in rejection.violations]
    required = contract.document.get("required", ())
    lacks_most = 2 * sum(("required", name) in broken for name in required) > len(required)
    is_array_in_field = claim_map and any(rule == "type" for rule, _ in broken)
    if _is_array(data) and (lacks_most or is_array_in_field or rejection.stage in ("parse", "map")):
        yield _ARRAY_FOR_A_MAP if claim_map else _ARRAY
    if known := _KNOWN_SHAPE.search(rejection.error):
        shape, parameter, name = known.groups()
        yield f"For documents that look like {shape}, pass {_OPTIONS[parameter]} {name}."
    if lacks_most and not claim_map:
        yield _FOREIGN
    if claim_map and "$money(" in claim_map.text and ("type", "claim_amount") in broken:
        yield _MONEY


def _is_array(data: bytes) -> bool:
    return data.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"["
