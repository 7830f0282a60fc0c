"""X12 837 claims (005010X222A1/A2, X223A2/A3, X224A2): each CLM loop as one JSON document.

A document keeps every segment of its claim and of what the claim stands under, keyed by X12's own
reference designators: `{"claim": {"CLM": [{"CLM01": "A37", "CLM05-1": "11", ...}], ...}, ...}`.
Segments are lists, for most may repeat; empty elements are left out.

Real files keep less of the standard than their readers ask for, so that this one asks for little:
separators come from the elements of ISA, however wide it is, or from ST where there is no ISA; many
interchanges may follow each other, each with its own separators; counts in trailers are not
checked. But a claim counts only once its transaction goes on or ends: the last claim of a cut file
may lack lines, and is not taken.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import IO, Any, NamedTuple

from pipeline.claims.formats.compression import DamagedError
from pipeline.claims.formats.unreadable import NOT_CLAIMS, unreadable
from pipeline.claims.formats.x12_levels import Levels
from pipeline.claims.message import Message, Unreadable, json_data

CHUNK_BYTES, _READ_BYTES = 1 << 17, 1 << 16
MAX_CLAIM_BYTES = 10 << 20
"""Segments of one claim, as JSON about thrice as much; 999 lines are a tenth of it."""
_SEGMENT_BYTES, _ELEMENT_BYTES = 50, 20
"""What each counts for beside its text: a segment of few bytes takes hundreds in memory."""
_SHORT_BYTES = 100
"""A segment that has few elements."""
_HEAD_BYTES = 1 << 14
"""In which the separators must show."""
_MAX_SHARED_BYTES, _JSON_GROWTH = 1 << 16, 8
"""The data that a claim shares with others is at most this large, and in real files some thousands
of bytes; what is the claim's own grows by less than this factor as JSON."""
_NAME_LENGTH = 8
"""Segment names have two or three characters; where a separator is lost, they may be any text."""
_SPACE = b" \t\r\n\0\x1a"
_BREAKS = b"\r\n"
"""Within segments too, where a file is wrapped at a fixed width."""
_BOM = b"\xef\xbb\xbf"

_ENTITIES = {
    "40": "receiver",
    "41": "submitter",
    "45": "ambulance_drop_off",
    "71": "attending_provider",
    "72": "operating_physician",
    "77": "service_facility",
    "82": "rendering_provider",
    "85": "billing_provider",
    "87": "pay_to_address",
    "DD": "assistant_surgeon",
    "DK": "ordering_provider",
    "DN": "referring_provider",
    "DQ": "supervising_provider",
    "IL": "subscriber",
    "P3": "primary_care_provider",
    "PE": "pay_to_plan",
    "PR": "payer",
    "PW": "ambulance_pick_up",
    "QB": "purchased_service_provider",
    "QC": "patient",
    "ZZ": "other_operating_physician",
}
"""NM101 by what the implementation guides call the loop."""
_LEVELS = {"20": (1, "billing_provider"), "22": (2, "subscriber"), "23": (3, "patient")}
"""HL03: how deep a level stands, and whom it is about. A new one ends those below it."""
_LOST_LEVELS = {"85": 1, "IL": 2, "QC": 3, "SBR": 2, "PAT": 3}
"""Entities and segments that no line has: behind one, they begin a level whose HL is lost."""
_MAX_LEVEL = 4
"""At which levels of other kinds, which claims have none of, take each other's place."""
_ENVELOPE = ("ISA", "GS", "ST")
_SERVICES = ("SV1", "SV2", "SV3")
"""What a line is about: one of them in each."""
_COMPOSITES = re.compile(
    r"CLM05|CLM11|HI\d\d|SV101|SV107|SV109|SV202|SV301|SV304|SV305|SV311|SVD03|TOO03|CTP05|CRC0\d|REF04"
)
"""Elements that are composites even if only their first component is there."""
_TEXTS = re.compile(r"(?:NM1|N[1-4]|NTE|PER|K3|LX|DTP)\d\d|CLM0[1-4]|REF0[1-3]")
"""Elements that are none: a separator in them is part of a name, a note or a number."""


class NotX12Error(Exception):
    """Bytes that are no X12."""

    def __init__(self, offset: int) -> None:
        super().__init__("not X12")
        self.offset = offset


class Separators(NamedTuple):
    """What ends a segment, an element and a component."""

    segment: bytes
    element: bytes
    component: bytes


def separators(head: bytes) -> Separators | None:
    """The separators of what begins with ISA, GS or ST; None if it is no X12."""
    if head.startswith(b"ISA"):
        return _of_interchange(head)
    element = re.escape(head[2:3])
    # Without ISA: what stands before the second segment ends the first one.
    second = re.compile(rb"(?:ST|BHT)" + element).search(head, 3)
    if not element or head[2:3].isalnum() or not head.startswith((b"GS", b"ST")) or second is None:
        return None
    first = head[3 : second.start()].rstrip()
    ending = re.sub(rb"[\w]", b"", first[-1:])
    if b"~" in first.removesuffix(ending):
        return None
    if ending in (b"", head[2:3]):
        ending = b"\n"
    place = re.search(rb"CLM(?:%b[^%b]*){4}%b\w+([^\w\s])[AB]\1" % ((element,) * 3), head)
    return Separators(ending, head[2:3], place[1] if place else b":")


def _of_interchange(head: bytes) -> Separators | None:
    element = head[3:4]
    parts = head.split(element, 16) if element else []
    # ISA16 is one byte, the component separator, and the next one ends the segment.
    if len(parts) < 17 or len(parts[16]) < 2 or element.isalnum():
        return None
    component, rest = parts[16].lstrip(_BREAKS)[:1], parts[16].lstrip(_BREAKS)[1:]
    ending = rest[:1]
    if ending in _BREAKS:
        # Either it ends segments, or the file is wrapped right before what does.
        wrapped = re.match(rb"\s+([^\w\s])\s*[A-Z]{2}", rest)
        ending = wrapped[1] if wrapped else b"\n"
    return None if ending.isalnum() else Separators(ending, element, component)


class Segment(NamedTuple):
    """One segment, where it begins in its file, and how it is written."""

    offset: int
    data: bytes
    written: Separators


def segments(file: IO[bytes]) -> Iterator[Segment]:
    """The segments of a file; the last one may be cut, where no separator follows it.

    Raises:
        NotX12Error: from an offset on.
        DamagedError: the file cannot be unpacked any further.
    """
    data, offset, is_end = b"", 0, False
    written: Separators | None = None
    seen = 0  # where these separators were found
    chunks = _chunks(file)
    while True:
        while not is_end and len(data) < _HEAD_BYTES:
            chunk = next(chunks, b"")
            data, is_end = data + chunk, not chunk
        if written is None:
            lead = len(data) - len(data.removeprefix(_BOM).lstrip(_SPACE))
            data, offset = data[lead:], offset + lead
            if not data and is_end:
                return
            if len(data) < _HEAD_BYTES and not is_end:
                continue
            written = separators(data[:_HEAD_BYTES])
            if written is None:
                raise NotX12Error(offset)
            seen = offset
        stop = len(data) if is_end else data.rfind(written.segment) + 1
        place = 0
        while place < stop:
            end = data.find(written.segment, place, stop)
            piece = data[place : stop if end < 0 else end]
            segment = piece.translate(None, _BREAKS).strip(_SPACE)
            if segment.startswith(b"ISA") and offset + place != seen:
                if separators(segment[:_HEAD_BYTES] + written.segment) != written:
                    written = None  # another interchange, with separators of its own
                    break
            if segment:
                yield Segment(
                    offset + place + len(piece) - len(piece.lstrip(_SPACE)), segment, written
                )
            place += len(piece) + 1
        place = min(place, stop)
        data, offset = data[place:], offset + place
        if written is None:
            continue
        if is_end:
            return
        rest = data[:_HEAD_BYTES].lstrip(_SPACE)
        if rest.startswith(b"ISA") and separators(rest) not in (None, written):
            written = None  # so too here, and what ended segments may not come again
            continue
        if len(data) > MAX_CLAIM_BYTES:
            raise NotX12Error(offset)
        chunk = next(chunks, b"")
        data, is_end = data + chunk, not chunk


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a file; if it is damaged, all that precede the damage."""
    parts, size = list[bytes](), 0
    try:
        while part := file.read1(min(_READ_BYTES, CHUNK_BYTES)):  # type: ignore[attr-defined]
            parts.append(part)
            size += len(part)
            if size >= CHUNK_BYTES:
                yield b"".join(parts)
                parts, size = [], 0
    except DamagedError:
        if parts:
            yield b"".join(parts)
        raise
    if parts:
        yield b"".join(parts)


@lru_cache(1_024)
def _key(name: str, number: int) -> tuple[str, bool, bool]:
    """The reference designator of an element, and whether it always or ever is a composite."""
    key = f"{name}{number:02d}"
    return key, _COMPOSITES.fullmatch(key) is not None, _TEXTS.fullmatch(key) is None


def _fields(segment: Segment) -> dict[str, str]:
    """A segment by its reference designators, from 01 on."""
    name, *elements = _text(segment.data).split(segment.written.element.decode("latin-1"))
    name = name[:_NAME_LENGTH]  # which stands before each of its elements
    component = segment.written.component.decode("latin-1")
    fields = {}
    for number, element in enumerate(elements, 1):
        if not element:
            continue
        key, is_composite, may_be_one = _key(name, number)
        if is_composite or (may_be_one and component in element):
            for place, part in enumerate(element.split(component), 1):
                if part:
                    fields[f"{key}-{place}"] = part
        elif element := element.rstrip(" "):  # ISA's are padded
            fields[key] = element
    return fields


def _parts(segment: Segment) -> Iterator[Segment]:
    """Of HI, which repeats one composite up to twelve times, a segment for each; else the segment.

    So a map finds every code in HI01.
    """
    if not segment.data.startswith(b"HI" + segment.written.element):
        yield segment
        return
    name, *codes = segment.data.split(segment.written.element)
    for code in filter(None, codes):
        yield segment._replace(data=segment.written.element.join((name, code)))


def _text(data: bytes) -> str:
    """X12 declares no encoding: UTF-8 where it is that, else latin-1."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


Loop = dict[str, Any]


class _Reader:
    """Gathers segments into the loops that they belong to, and hands out each whole claim."""

    def __init__(self) -> None:
        self._envelope: Loop = {}
        self._levels: list[Loop] = []
        """Header, billing provider, subscriber, patient: the loops that a claim stands under."""
        self._numbers = Levels()
        self._loop: Loop = {}
        self._owner: Loop | None = None
        """The claim, other subscriber or line whose entities NM1 begins; None above a claim."""
        self.claim: Loop | None = None
        self.is_misplaced = False
        """Whether the claim may stand under another level than its own."""

    def document(self) -> Loop:
        """The claim that has ended, with what it stands under."""
        claim, self.claim = self.claim or {}, None
        self._owner, self._loop = None, {}
        document = dict(self._envelope)
        for loops in self._levels:
            document |= loops
        lines = claim.pop("lines", [])
        return {**document, "claim": claim, "lines": lines}

    def take(self, name: str, fields: dict[str, str]) -> None:
        """Put a segment into its loop."""
        if self.claim is not None and self.claim["lines"]:
            lost = _LOST_LEVELS.get(fields.get("NM101", "") if name == "NM1" else name)
            if lost is not None:  # this claim is complete, but the next may be another person's
                self._numbers.lose(lost)
        if name in _ENVELOPE:
            kept = _ENVELOPE[: _ENVELOPE.index(name)]
            self._envelope = {key: self._envelope[key] for key in kept if key in self._envelope}
            self._levels, self._owner, self._loop = [{}], None, self._envelope
            self._numbers = Levels()
        elif name == "HL":
            deepest = min(len(self._levels), _MAX_LEVEL)
            level, subject = _LEVELS.get(fields.get("HL03", ""), (deepest, "level"))
            self._numbers.take(level, fields)
            missing = level - len(self._levels)
            self._levels = [*self._levels[:level], *({} for _ in range(missing)), {subject: {}}]
            self._loop = self._levels[-1][subject]
        elif name == "NM1":
            self._begin_entity(_ENTITIES.get(fields.get("NM101", ""), "entity"))
        elif name == "CLM":
            self.is_misplaced = self._numbers.is_misplaced
            self.claim = self._loop = self._owner = {"lines": []}
        elif name == "SBR" and self.claim is not None:
            self._loop = self._owner = _added(self.claim, "other_subscribers")
        elif self.claim is not None and (name == "LX" or self._is_line_without_number(name)):
            self._loop = self._owner = _added(self.claim, "lines")
        elif name == "SVD" and self._owner is not None:
            self._loop = _added(self._owner, "adjudications")
        self._loop.setdefault(name, []).append(fields)

    def _is_line_without_number(self, name: str) -> bool:
        """Whether a segment begins a line whose LX is missing."""
        owner = self._owner or {}
        return name in _SERVICES and (name in owner or "LX" not in owner)

    def _begin_entity(self, entity: str) -> None:
        if self._owner is not None:
            self._loop = _added(self._owner, entity)
        elif self._levels:
            self._loop = self._levels[-1].setdefault(entity, {})


def _added(loop: Loop, name: str) -> Loop:
    """A new loop within another one."""
    added: Loop = {}
    loop.setdefault(name, []).append(added)
    return added


_ENDS_CLAIM = frozenset([b"CLM", b"HL", b"SE", b"ST", b"GS", b"GE", b"ISA", b"IEA"])
_ENDS_TRANSACTION = frozenset([b"ST", b"GS", b"GE", b"ISA", b"IEA"])
"""Behind SE; before it they come in place of an end that is lost."""


def read(file: IO[bytes], name: str) -> Iterator[Message]:
    """The claims of a file as messages of JSON, with file and offset of their CLM as their ids.

    What cannot be read is a message too: its data is `Unreadable`, or a `Beginning` where nothing
    that follows can be read.
    """
    reader = _Reader()
    raw: list[bytes] = []  # segments of the claim, or of the loop that it will stand under
    begun = size = end = 0
    is_open = is_enveloped = False  # a transaction, an interchange, without its end as yet
    refused: str | None = None  # why this transaction holds no claims
    try:
        for segment in segments(file):
            end = segment.offset + len(segment.data)
            kind, *elements = segment.data.split(segment.written.element, 2)
            if reader.claim is not None and kind in _ENDS_CLAIM:
                data: bytes = json_data(reader.document())
                if len(data) > _MAX_SHARED_BYTES + _JSON_GROWTH * size:
                    lost = unreadable(b"\n".join(raw), "x12_too_large", is_lost=True)
                    yield Message(lost, f"{name}:{begun}")
                    return
                if is_open and kind in _ENDS_TRANSACTION:  # it may have had more lines
                    data = Unreadable(b"\n".join(raw), "damaged_file")
                elif reader.is_misplaced:
                    data = Unreadable(b"\n".join(raw), "x12_misplaced_level")
                yield Message(data, f"{name}:{begun}")
            if kind in _ENDS_CLAIM:
                begun, size, raw = segment.offset, 0, []
            if kind == b"ST":
                is_open, before = True, refused
                refused = _refusal(elements[0] if elements else b"")
                if refused not in (None, before):
                    yield Message(Unreadable(segment.data, refused), f"{name}:{segment.offset}")
            elif kind == b"SE":
                is_open = False
            elif kind in (b"ISA", b"IEA"):
                is_enveloped = kind == b"ISA"
            if refused is None or kind in (b"ISA", b"GS"):
                size += _weight(segment)
                if size > MAX_CLAIM_BYTES:
                    raise NotX12Error(segment.offset)
                raw.append(segment.data)
                for part in _parts(segment):
                    reader.take(kind.decode("latin-1"), _fields(part))
        code = "damaged_file" if (is_open or is_enveloped) and refused is None else None
    except NotX12Error as error:
        code, end = "invalid_x12", error.offset
    except DamagedError:
        code = "damaged_file"
    if code is not None:  # with the claim that has begun, of which nothing more can be had
        place, rest = (end, b"") if reader.claim is None else (begun, b"\n".join(raw))
        yield Message(unreadable(rest, code), f"{name}:{place}")


def _weight(segment: Segment) -> int:
    """Bytes that a segment counts for in the bound of a claim."""
    data, written = segment.data, segment.written
    weight = len(data) + _SEGMENT_BYTES
    if len(data) > _SHORT_BYTES:
        parts = data.count(written.element) + data.count(written.component)
        weight += _ELEMENT_BYTES * parts
    return weight


def _refusal(transaction_set: bytes) -> str | None:
    """The error code of a transaction that is no 837."""
    name = transaction_set.strip().decode("latin-1")
    if name == "837":
        return None
    return f"x12_{name}" if name in NOT_CLAIMS else "not_837"
