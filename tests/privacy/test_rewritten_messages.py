"""Messages whose data is written anew take no more memory than that: many are held at a time."""

import io
import json
import tracemalloc
from collections.abc import Callable, Sequence

import pytest

from pipeline.claims.formats import delimited, x12
from pipeline.claims.formats.delimited import Dialect
from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.mapping.mapper import Mapper
from pipeline.claims.message import Message
from pipeline.claims.stages import Map
from pipeline.privacy.named_fields import NamedFields
from pipeline.privacy.stages import PseudonymousMap, PseudonymousParse
from tests.claims.formats.x12_files import interchange
from tests.privacy.test_pseudonyms import OURS
from tests.support.claims.core import CLEAN, CONTRACT, PARSE

NUMBER = 200
CLAIM_MAP = ClaimMap('many ? many.{"claim_id": $} : {"claim_id": id}')
NAMED = NamedFields(CONTRACT, ("claim_id",), OURS)
MANY = {"many": [f"C{number}" for number in range(NUMBER)]}
CLAIMS = [Message(json.dumps(CLEAN).encode(), str(number)) for number in range(NUMBER)]
DOCUMENTS = [{"id": f"C{number}"} for number in range(NUMBER)]


def of_csv() -> Sequence[Message]:
    rows = io.BytesIO(b"a,b\n" + b"1,2\n" * NUMBER)
    return list(delimited.read(rows, "f", Dialect()))


def of_x12() -> Sequence[Message]:
    return list(x12.read(io.BytesIO(interchange("P", range(NUMBER))), "f"))


def of_a_map() -> Sequence[Message]:
    return Mapper(CLAIM_MAP, CONTRACT).apply([Message(b"", "1")], [MANY])[0]


def with_pseudonyms() -> Sequence[Message]:
    return PseudonymousParse(PARSE, NAMED).decide(CLAIMS, CLAIMS).messages


def of_a_map_with_pseudonyms() -> Sequence[Message]:
    stage = PseudonymousMap(Map(CLAIM_MAP, CONTRACT), NAMED, CLAIM_MAP.version)
    return stage.decide([Message(b"", "1")] * NUMBER, DOCUMENTS).messages


@pytest.mark.parametrize(
    "make", [of_csv, of_x12, of_a_map, with_pseudonyms, of_a_map_with_pseudonyms]
)
def test_each_takes_its_bytes(make: Callable[[], Sequence[Message]]) -> None:
    """Each took 4 KB for as long as its row waited for an answer."""
    make()  # what is remembered
    tracemalloc.start()
    try:
        messages = make()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(messages) == NUMBER
    assert held < sum(len(message.data) + 2_000 for message in messages)
