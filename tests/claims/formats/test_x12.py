"""X12 837 files as they come: every claim, with what it stands under, and nothing of a cut one."""

import gzip
import io
import json
import re
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.claims.formats import table, x12, x12_levels
from pipeline.claims.formats.compression import unpacked
from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.message import Beginning, Message, Unreadable
from tests.claims.formats.x12_files import Style, expected, interchange

MAP = ClaimMap.packaged("x12_837")
STYLES = (
    Style(),
    Style("'", "|", ">"),
    Style("\n", "*", ":", pads=False),
    Style("~\r\n", "^", "\\"),
    Style("\x1c", "\x1d", "\x1f"),
)


def read(data: bytes) -> list[Message]:
    return list(x12.read(io.BytesIO(data), "f"))


def codes(messages: list[Message]) -> list[Any]:
    return [message.data.error_code for message in messages if isinstance(message.data, Unreadable)]


def check(kind: str, number: int, message: Message) -> None:
    assert type(message.data) is bytes, message
    wanted = expected(kind, number)
    (claim,) = MAP.claims(json.loads(message.data))
    lines = claim["service_lines"]
    assert [line["charge_amount"] for line in lines] == wanted.pop("charges")
    assert {line["service_date"] for line in lines} == {wanted["service_date"]}
    assert {name: claim[name] for name in wanted} == wanted


@pytest.mark.parametrize("kind", ["P", "I", "D"])
def test_a_thousand_claims_in_two_interchanges_of_odd_separators(kind: str) -> None:
    first, second = STYLES[1], STYLES["PID".index(kind) + 2]
    data = interchange(kind, range(500), first) + interchange(kind, range(500, 1000), second)
    messages = read(data)
    assert len(messages) == 1000
    for number, message in enumerate(messages):
        check(kind, number, message)
        offset = int(str(message.message_id).removeprefix("f:"))
        assert data[offset:].startswith((b"CLM|", b"CLM" + second.element.encode()))


@pytest.mark.parametrize("style", STYLES)
def test_separators(style: Style) -> None:
    for number, message in enumerate(read(interchange("P", range(3), style))):
        check("P", number, message)


@pytest.mark.parametrize("style", STYLES[:3])
def test_no_interchange(style: Style) -> None:
    data = interchange("P", range(3), style)
    for beginning in (b"GS", b"ST"):
        messages = read(data[data.index(beginning + style.element.encode()) :])
        assert len(messages) == 3
        check("P", 2, messages[2])


def test_wrapped_at_80_columns() -> None:
    data = interchange("P", range(3), Style("~"))
    wrapped = b"\r\n".join(data[start : start + 80] for start in range(0, len(data), 80))
    messages = read(wrapped)
    assert len(messages) == 3
    check("P", 1, messages[1])


def test_several_interchanges_wrapped_at_80_columns() -> None:
    """Where a line broke within the second ISA, its claims were lost."""
    first, second = interchange("P", range(1), Style("~")), interchange("P", range(2), Style("~"))
    for width in range(80):
        data = first.replace(b"~IEA", b"~K3*" + b"x" * width + b"~IEA") + second
        wrapped = b"\r\n".join(data[start : start + 80] for start in range(0, len(data), 80))
        assert [type(message.data) for message in read(wrapped)] == [bytes] * 3
    for width in (103, 104, 105):  # a break before, within and behind what ISA16 shows
        wrapped = b"\n".join(
            second[start : start + width] for start in range(0, len(second), width)
        )
        assert [type(message.data) for message in read(wrapped)] == [bytes] * 2


def test_an_interchange_may_hold_what_ends_its_segments() -> None:
    data = interchange("P", range(2), Style("~"))
    assert len(read(data[:4] + b"~" + data[4:])) > 0


def test_small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(x12, "CHUNK_BYTES", 700)
    data = interchange("P", range(40)) + interchange("I", range(20), STYLES[1])
    messages = read(data)
    assert messages == list(x12.read(io.BytesIO(data), "f"))
    assert len(messages) == 60
    check("I", 19, messages[-1])
    for padding in range(500, 1_500, 100):  # also where the first bytes are padding alone
        monkeypatch.setattr(x12, "_HEAD_BYTES", 600)
        assert len(read(bytes(padding) + data + bytes(padding) + data)) == 120


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4000))
def test_cut_anywhere(cut: int) -> None:
    data = interchange("P", range(6))
    messages = read(data[: min(cut, len(data))])
    whole = [message for message in messages if type(message.data) is bytes]
    for number, message in enumerate(whole):
        check("P", number, message)
    assert len(messages) - len(whole) == (0 < cut < data.rindex(b"IEA") + 3)


def test_what_is_no_claim() -> None:
    claims = interchange("P", range(2))
    status = claims.replace(b"ST*837*", b"ST*277*")
    assert codes(read(status)) == ["x12_277"]
    assert codes(read(claims.replace(b"ST*837*", b"ST*850*"))) == ["not_837"]
    messages = read(status + claims + status)
    assert codes(messages) == ["x12_277", "x12_277"]
    assert len(messages) == 4
    for garbage in (b"garbage", b"ISA", b"ISA*", b"{}", b"ISA" * 50, b"\xff\xfe\x00" * 20):
        (message,) = read(garbage)
        assert codes([message]) == ["invalid_x12"]
        assert isinstance(message.data, Beginning)
    assert read(b"") == read(b" \r\n") == []


def test_lost_end_of_a_transaction_rejects_its_last_claim_alone() -> None:
    data = interchange("P", range(2))
    lost = data[: data.index(b"SE*")] + data
    messages = read(lost)
    assert codes(messages) == ["damaged_file"]
    assert len(messages) == 4
    assert messages[1].data.startswith(b"CLM*P1")


def test_a_claim_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(x12, "MAX_CLAIM_BYTES", 10_000)
    data = interchange("P", range(2))
    endless = data.replace(b"LX*1~\n", b"NTE*ADD*" + b"x" * 80 + b"~\n" + b"LX*1~\n")
    assert codes(read(endless)) == []
    endless = data.replace(b"LX*1~\n", b"NTE*ADD*x~\n" * 1_000 + b"LX*1~\n", 1)
    assert codes(read(endless)) == ["invalid_x12"]


@pytest.mark.parametrize(
    "segment", [b"LX*1~", b"HI" + b"*AB:1" * 40 + b"~", b"K3" + b"*1" * 80 + b"~"]
)
def test_small_parts_of_a_claim_count_for_the_memory_that_they_take(
    segment: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message of 10 MB took 2 GB."""
    monkeypatch.setattr(x12, "MAX_CLAIM_BYTES", 20_000)
    data = interchange("P", range(1))
    many = data.replace(b"LX*1~\n", segment * (10_000 // len(segment)) + b"LX*1~\n", 1)
    assert codes(read(many)) == ["invalid_x12"]


def test_separators_that_do_not_show_are_not_looked_for_without_end() -> None:
    """A message of 16 KB took five seconds."""
    began = time.thread_time()
    assert x12.separators(b"GS*" + b" " * 16_000) is None
    assert x12.separators(b"ST*" + b" \n" * 8_000) is None
    assert time.thread_time() - began < 0.5


def test_a_large_interchange_without_the_separator_of_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where that separator does not come again, 10 MB of good claims were no X12."""
    monkeypatch.setattr(x12, "CHUNK_BYTES", 700)
    monkeypatch.setattr(x12, "_HEAD_BYTES", 600)
    monkeypatch.setattr(x12, "MAX_CLAIM_BYTES", 5_000)
    second = interchange("P", range(40), Style("\n", "|", ">"))
    assert len(second) > 2 * x12.MAX_CLAIM_BYTES
    for between in (b"", b"\r\n"):
        messages = read(interchange("P", range(3), Style("~")) + between + second)
        assert codes(messages) == []
        assert len(messages) == 43


def test_many_interchanges_of_separators_of_their_own_take_no_longer() -> None:
    """Each of them had the rest of a megabyte read again."""
    both = [interchange("P", range(0), Style("~", element)) for element in ("*", "|")]
    began = time.thread_time()
    assert read(b"".join(both) * 300 + b"~" * 200_000) == []
    assert time.thread_time() - began < 1.5


def test_levels_of_other_kinds_do_not_pile_up() -> None:
    data = interchange("P", range(1))
    levels = data.replace(b"HL*2*", b"HL*9**99~NTE*ADD*x~" * 50_000 + b"HL*2*", 1)
    began = time.thread_time()
    [message] = read(levels)
    check("P", 0, message)
    assert time.thread_time() - began < 5
    behind = data.replace(b"CLM*", b"HL*9**99~REF*A*1~HL*9**98~REF*B*2~CLM*", 1)
    assert json.loads(read(behind)[0].data)["level"]["REF"] == [{"REF01": "B", "REF02": "2"}]


def test_a_message_whose_claims_repeat_much_is_refused_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """10 MB of it could become terabytes."""
    data = interchange("P", range(20))
    decode = table.FORMATS["X12"].decode
    documents = decode(data)
    assert len(documents) == 20
    size = sum(len(each) + table._CLAIM_BYTES for each in documents)
    monkeypatch.setattr(table, "MAX_DOCUMENT_BYTES", size)
    assert decode(data) == documents
    monkeypatch.setattr(table, "MAX_DOCUMENT_BYTES", size - 1)
    assert decode(data).error_code == "x12_too_large"


def test_what_could_be_unpacked_of_a_damaged_file_is_read() -> None:
    """The last megabyte before the damage was lost: all claims of a small file."""
    data = b"".join(interchange("P", range(start, start + 20)) for start in range(0, 400, 20))
    packed = gzip.compress(data)
    messages = list(x12.read(unpacked(io.BytesIO(packed[: len(packed) // 2])), "f"))
    assert codes(messages) == ["damaged_file"]
    assert len(messages) > 150
    for number, message in enumerate(messages[:-1]):
        check("P", number, message)
    whole = gzip.compress(data)  # the damage is where a chunk ends
    messages = list(x12.read(unpacked(io.BytesIO(whole[:-8])), "f"))
    assert len(messages) == 401
    assert codes(messages) == ["damaged_file"]


def test_interchanges_without_claims_do_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The claims behind 24,000 acknowledgements were not read."""
    monkeypatch.setattr(x12, "MAX_CLAIM_BYTES", 10_000)
    empty = interchange("P", range(0))
    acknowledgement = empty.replace(b"ST*837*", b"ST*999*")
    for without in (empty, acknowledgement):
        messages = read(without * 50 + interchange("P", range(3)))
        assert len(messages) - len(codes(messages)) == 3
        assert "invalid_x12" not in codes(messages)


def test_many_interchanges_on_lines_of_their_own_take_no_longer() -> None:
    """A message of 1 MB took seven seconds."""
    began = time.thread_time()
    assert codes(read(b"\nISA****************:~" * 50_000)) == ["damaged_file"]
    seconds = time.thread_time() - began
    assert seconds < 2
    began = time.thread_time()  # each with separators of its own: twenty seconds for 10 MB
    both = b"ISA****************:~ISA****************:!"
    assert codes(read(both * 25_000)) == ["damaged_file"]
    assert time.thread_time() - began < 3 * seconds


def test_claims_repeat_a_bounded_part() -> None:
    """A file of a megabyte could become terabytes."""
    data = interchange("P", range(3))
    shared = data.replace(b"HL*2*", b"REF*G1*" + b"x" * 70_000 + b"~HL*2*", 1)
    [message] = read(shared)
    assert codes([message]) == ["x12_too_large"]
    assert isinstance(message.data, Beginning) and message.data.startswith(b"CLM*P0")
    decoded = table.FORMATS["X12"].decode(shared)
    assert decoded.error_code == "x12_too_large"
    own = data.replace(b"LX*1~", b"NTE*ADD*" + b"x" * 70_000 + b"~LX*1~")
    assert len(read(own)) == 3
    assert codes(read(own)) == []


def test_a_name_of_megabytes_is_not_repeated_for_each_element() -> None:
    """A message of 100 KB took 400 MB."""
    data = interchange("P", range(1))
    long = data.replace(b"LX*1~", b"Q" * 100_000 + b"*a" * 1_000 + b"~LX*1~", 1)
    [message] = read(long)
    assert len(message.data) < 3 * len(long)


def test_many_small_claims_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message of 10 MB took 1.2 GB, and 10 MB of ordinary claims half of that."""
    data = b"ST*837*1~BHT*1~" + b"CLM*A*1~" * 2_000 + b"SE*1*1~"
    tracemalloc.start()
    try:
        decoded = table.FORMATS["X12"].decode(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(decoded) == 2_000
    assert peak < 400 * 2_000
    monkeypatch.setattr(table, "MAX_DOCUMENT_BYTES", 2_000_000)
    assert table.FORMATS["X12"].decode(data).error_code == "x12_too_large"


def _first_claim(data: bytes) -> dict[str, Any]:
    (claim,) = MAP.claims(json.loads(read(data)[0].data))
    return dict(claim)


def test_a_line_is_kept_whose_number_is_missing_or_that_has_two_services() -> None:
    """They vanished from the claim, or had two codes in place of one."""
    data = interchange("P", range(1))
    whole = _first_claim(data)["service_lines"]
    found = _first_claim(data.replace(b"LX*1~", b"").replace(b"LX*2~", b""))["service_lines"]
    assert len(whole) == len(found) > 1
    for line, other in zip(whole, found, strict=True):
        assert {**other, "line_number": line["line_number"]} == line


def test_names_notes_and_references_may_hold_a_separator() -> None:
    """A note or the number of the replaced claim was lost without a word."""
    data = interchange("P", range(1))
    odd = data.replace(b"HI*", b"REF*F8*2026:17~NTE*ADD*see: attached~HI*", 1)
    claim = _first_claim(odd)
    assert claim["original_claim_id"] == "2026:17"
    assert claim["notes"] == "see: attached"


def test_days_of_a_claim_are_the_first_and_the_last_of_its_lines() -> None:
    before, first, last = re.split(rb"DTP\*472\*D8\*\d+", interchange("P", range(1)))
    odd = before + b"DTP*472*RD8*20270103-20270104" + first + b"DTP*472*D8*20250102" + last
    claim = _first_claim(odd)
    assert (claim["service_date"], claim["service_end_date"]) == ("2025-01-02", "2027-01-04")


def test_fractions_have_no_zero_before_their_point() -> None:
    """X12 leaves it out, so that a claim over half a unit was rejected."""
    data = interchange("P", range(1)).replace(b"*UN*1*", b"*UN*.5*")
    assert {line["units"] for line in _first_claim(data)["service_lines"]} == {"0.5"}


def _levels(*levels: str) -> bytes:
    """A claim at each patient, and at each subscriber without children, named by its number."""
    parts = ["ST*837*1", "BHT*0019*00*1*20260115*1200*CH"]
    for level in levels:
        number, _, kind, *children = level.split("*")
        role = {"20": "85", "22": "IL", "23": "QC"}[kind]
        identifier = "" if role == "QC" else f"****MI*M{number}"
        parts += [f"HL*{level}", f"NM1*{role}*1*DOE*A{identifier}"]
        if kind == "23" or children == ["0"]:
            parts += [f"CLM*C{number}*10***11:B:1", "LX*1", "SV1*HC:99213*10*UN*1"]
    return "~".join([*parts, "SE*1*1~"]).encode()


def _patients(data: bytes) -> list[str | None]:
    """Whose each claim is; None for one that cannot be told."""
    messages = read(data)
    assert set(codes(messages)) <= {"x12_misplaced_level"}
    return [
        None
        if isinstance(message.data, Unreadable)
        else MAP.claims(json.loads(message.data))[0]["patient_id"]
        for message in messages
    ]


@pytest.mark.parametrize(
    ("levels", "patients"),
    [
        (("1**20*1", "2*1*22*1", "3*2*23*0", "4*1*22*1", "5*4*23*0"), ["M2", "M4"]),
        # All subscribers before all patients.
        (("1**20*1", "2*1*22*1", "3*1*22*1", "4*2*23*0", "5*3*23*0"), [None, "M3"]),
        (("1**20*1", "2*1*22*1", "3*1*22*0", "4*2*23*0", "5*2*23*0"), ["M3", None, None]),
        # A patient who comes late.
        (("1**20*1", "2*1*22*1", "3*2*23*0", "4*1*22*0", "5*2*23*0"), ["M2", "M4", None]),
        (
            ("1**20*1", "2*1*22*1", "3*2*23*0", "4*1*22*1", "5*4*23*0", "6*2*23*0", "7*1*22*0"),
            ["M2", "M4", None, "M7"],
        ),
        # Behind another billing provider, and what stands behind a misplaced level.
        (("1**20*1", "2*1*22*0", "3**20*1", "4*2*23*0"), ["M2", None]),
        (
            ("1**20*1", "2**20*1", "3*1*22*1", "4*3*23*0", "5*2*22*0"),
            [None, "M5"],
        ),
        # Numbers that say nothing: the place counts.
        (("1**20*1", "2*1*22*0", "3**20*1", "4*1*22*0", "5*1*22*0"), ["M2", "M4", "M5"]),
        (("1**20*1", "1*1*22*1", "1*1*23*0", "1*1*22*1", "2*1*23*0"), ["M1", "M1"]),
        (("1**20*1", "2*1*22*1", "3**23*0", "4**22*1", "5*1*23*0"), ["M2", "M4"]),
        (("1**20*1", "2*1*22*1", "3*2*23*0", "7*1*22*1", "8*2*23*0"), ["M2", "M7"]),
        (("A**20*1", "B*A*22*1", "C*B*23*0", "D*A*22*1", "E*B*23*0"), ["MB", "MD"]),
        (("5**20*1", "6*5*22*1", "7*6*23*0", "8*5*22*1", "9*8*23*0"), ["M6", "M8"]),
    ],
)
def test_a_level_that_names_another_parent(levels: tuple[str, ...], patients: list[str]) -> None:
    """Its claim silently became that of the subscriber before it."""
    data = _levels(*levels)
    assert _patients(data) == patients
    assert _patients(data * 2) == patients * 2
    decoded = table.FORMATS["X12"].decode(data)
    if None in patients:
        assert decoded.error_code == "x12_misplaced_level"
    else:
        assert len(decoded) == len(patients)


@pytest.mark.parametrize(
    ("levels", "lost", "patients"),
    [
        (("1**20*1", "2*1*22*0", "3*1*22*0", "4*1*22*0"), 3, ["M2", None, "M4"]),
        (("1**20*1", "2*1*22*0", "3*1*22*1", "4*3*23*0", "5*1*22*0"), 3, ["M2", None, "M5"]),
        (("1**20*1", "2*1*22*1", "3*2*23*0", "4*2*23*0", "5*1*22*0"), 4, ["M2", None, "M5"]),
        (
            ("1**20*1", "2*1*22*0", "3**20*1", "4*3*22*0", "5**20*1", "6*5*22*0"),
            3,
            ["M2", None, "M6"],
        ),
    ],
)
def test_claims_behind_a_lost_level_are_not_those_of_the_level_before(
    levels: tuple[str, ...], lost: int, patients: list[str | None]
) -> None:
    level = f"HL*{levels[lost - 1]}~".encode()
    whole = _levels(*levels)
    assert None not in _patients(whole)
    assert _patients(whole.replace(level, b"")) == patients


def test_other_subscribers_of_a_claim_are_no_lost_level() -> None:
    data = _levels("1**20*1", "2*1*22*0", "3*1*22*0")
    other = data.replace(b"LX*1~", b"SBR*S~NM1*IL*1*DOE*B****MI*OTHER~LX*1~")
    assert _patients(other) == ["M2", "M3"]


def test_depths_of_levels_are_kept_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(x12_levels, "MAX_LEVELS", 2)
    late = ("1**20*1", "2*1*22*1", "3*2*23*0", "4*1*22*1", "5*4*23*0", "6*1*22*0", "7*4*23*0")
    assert _patients(_levels(*late)) == ["M2", "M4", "M6", None]


def test_patients_without_a_subscriber_share_nothing() -> None:
    """The second one had the payer and the subscriber of the first."""
    data = _levels("1**20*1", "2*1*23*0", "3*1*23*0").replace(
        b"NM1*QC", b"NM1*IL*1*DOE*B****MI*OTHER~NM1*QC", 1
    )
    first, second = (json.loads(message.data) for message in read(data))
    assert "subscriber" in first
    assert "subscriber" not in second
