"""Messages, rejections and rows hold pseudonyms where `pseudonymise` names a field, or nothing."""

import json
import pickle
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claims_ops.replay.message import message_data
from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.contract import Contract
from pipeline.claims.document_text import DocumentError
from pipeline.claims.error_row import error_row, message_columns
from pipeline.claims.judgement import Unchanging
from pipeline.claims.message import Beginning, Message, StructureOnly
from pipeline.claims.rejection import Rejection, Violation
from pipeline.claims.stages import Enrich, Validate, through
from pipeline.privacy import resembling_keys
from pipeline.privacy.named_fields import NamedFields, check_names
from pipeline.privacy.pseudonyms import Pseudonyms
from pipeline.privacy.stages import PseudonymousEnrich, PseudonymousParse, PseudonymousValidate
from tests.privacy.test_pseudonyms import OTHERS, OURS
from tests.support.claims.core import (
    CLEAN,
    CONTRACT,
    ENRICH,
    NOW,
    PARSE,
    RULES,
    VALIDATE,
    clock,
    fields_of,
    outcome_of,
    row_of,
)
from tests.support.claims.strategies import BUDGET, JSON_VALUES, claims, messages

NAMES = ("patient_id", "claim_id")
NAMED = NamedFields(CONTRACT, NAMES, OURS)


def enriching(contract: Contract, named: NamedFields) -> PseudonymousEnrich:
    return PseudonymousEnrich(
        lambda basis: Enrich(ClaimRows(contract, basis, 0.5, "test"), clock),
        Unchanging(RULES),
        named,
    )


STAGES = (
    PseudonymousParse(PARSE, NAMED),
    PseudonymousValidate(VALIDATE, NAMED),
    enriching(CONTRACT, NAMED),
)
OWN, ONE, A, X = (OURS.of("patient_id", text) for text in ("PAT-1", "1", "a", "x"))


def kept(data: bytes, **attributes: str) -> Message:
    """What is kept of a message."""
    return NAMED.message(Message(data, "7", NOW, attributes), fields_of(data))


def replaced(**changes: Any) -> dict[str, Any]:
    """The document that is kept of the clean claim with changes."""
    message = kept(json.dumps(CLEAN | changes).encode())
    assert not isinstance(message, StructureOnly)
    document: dict[str, Any] = json.loads(message.data)
    return document


def outcome(data: bytes) -> dict[str, Any] | Rejection:
    """Claim row or rejection, of a job with pseudonyms."""
    decided = through(STAGES, [Message(data)])
    [found] = [*decided.outcomes, *(rejection for _, rejection in decided.rejected)]
    return found


SPELLINGS: dict[str, tuple[str, str]] = {
    "text": ('{"patient_id": "PAT-1"}', "PAT-1"),
    "integer": ('{"patient_id": 123}', "123"),
    "text of digits": ('{"patient_id": "123"}', "123"),
    "escaped key": ('{"\\u0070atient_id": "PAT-1"}', "PAT-1"),
    "escaped value": ('{"patient_id": "\\u0050AT-1"}', "PAT-1"),
    "byte order mark": ('\ufeff{"patient_id": "PAT-1"}', "PAT-1"),
    "beside an unknown field": ('{"patient_id": 123, "a": 0.1}', "123"),
    "replay": (json.dumps({"patient_id": OWN}), "PAT-1"),
    "beyond ASCII": ('{"patient_id": "Zoë"}', "Zoë"),
}


@pytest.mark.parametrize("text, value", SPELLINGS.values(), ids=SPELLINGS)
def test_value_in_every_spelling(text: str, value: str):
    assert json.loads(kept(text.encode()).data)["patient_id"] == OURS.of("patient_id", value)


@pytest.mark.parametrize(
    "unknown, shown",
    [
        ({"member": {"patient_id": "PAT-1", "x": 2}}, {"member": {"patient_id": OWN, "x": 2}}),
        ({"patientId": "PAT-1"}, {"patientId": OWN}),
        ({"Patient-ID": ["PAT-1", {"x": "PAT-1"}]}, {"Patient-ID": [OWN, {X: OWN}]}),
        ({"PATIENT_ID": 1.5}, {"PATIENT_ID": OURS.of("patient_id", "1.5")}),
        ({"PATIENT_ID": [None, True, "", 1]}, None),
        ({"patientId": {"PAT-1": 1, "": True}}, {"patientId": {OWN: ONE, "": True}}),
        ({"patientId": {"PAT-1": None}}, {"patientId": {OWN: None}}),
        ({"patientId": [{"x": [{"PAT-1": []}]}]}, {"patientId": [{X: [{OWN: []}]}]}),
        ({"a": {"patientId": {"x": "a"}}}, {"a": {"patientId": {X: A}}}),
        ({"patientId": {"PAT-1": "a", OWN: "a"}}, {"patientId": {OWN: A, f"{OWN}*": A}}),
        ({"ｐａｔｉｅｎｔＩＤ": "PAT-1"}, {"ｐａｔｉｅｎｔＩＤ": OWN}),
        ({"PATİENT\u200b_id": "PAT-1"}, {"PATİENT\u200b_id": OWN}),
        ({"ⓟatient_ⅰⅾ": "PAT-1"}, {"ⓟatient_ⅰⅾ": OWN}),
        ({"patient_id" + "_" * 900: "PAT-1"}, {"patient_id" + "_" * 900: OWN}),
        ({"_" * 900 + "Pſn": "PAT-1"}, {"_" * 900 + "Pſn": "PAT-1"}),
        ({"member_id": "PAT-1", "ids": ["PAT-1"]}, {"member_id": "PAT-1", "ids": ["PAT-1"]}),
    ],
)
def test_keys_that_resemble_a_named_field(unknown: dict[str, Any], shown: dict[str, Any] | None):
    shown = shown or {"PATIENT_ID": [None, True, "", OURS.of("patient_id", "1")]}
    document = replaced(**unknown)
    assert {name: document[name] for name in unknown} == shown
    row = outcome(json.dumps(CLEAN | unknown).encode())
    assert isinstance(row, dict)
    assert json.loads(row["additional_fields"]) == shown


@pytest.mark.parametrize(
    "crowd",
    [
        lambda n: {"patientId": ["PAT-1"] * n},
        lambda n: {"a": {"Patient-ID": {f"PAT-1{k}": None for k in range(n)}}},
        lambda n: {f"patient_id{'_' * k}": "PAT-1" for k in range(1, n)} | {"PATIENTID": 1},
        lambda n: {"notes": [[{"patientId": 1}] * n]},
    ],
)
def test_more_values_than_may_grow_are_withheld_and_rejected(crowd, monkeypatch):
    most = 20
    monkeypatch.setattr(resembling_keys, "MAX_ENTRIES", most + len(NAMES))
    data = json.dumps(CLEAN | crowd(most)).encode()
    assert not isinstance(kept(data), StructureOnly)
    data = json.dumps(CLEAN | crowd(most + 1)).encode()
    assert isinstance(kept(data), StructureOnly)
    assert b"PAT-1" not in kept(data).data
    rejection = outcome(data)
    assert isinstance(rejection, Rejection)
    assert (rejection.stage, rejection.error_code) == ("validate", "too_many_named_values")


def test_growth_is_bounded_before_the_work_is_done():
    """9 MB of values of one digit would become 270 MB of pseudonyms."""
    data = json.dumps(CLEAN | {"patientId": [1] * 3_000_000}).encode()
    fields = fields_of(data)
    tracemalloc.start()
    began = time.process_time()
    try:
        assert isinstance(NAMED.message(Message(data), fields), StructureOnly)
        assert isinstance(NAMED.refused(fields), Rejection)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000
    assert time.process_time() - began < 2


def test_number_is_spelt_as_in_the_row():
    rest = json.dumps(CLEAN)[1:].encode()
    for number in (b"1.50", b"15e-1", b"123456789012345678901", b"-0", b"1"):
        data = b'{"patientId": ' + number + b", " + rest
        row = outcome(data)
        assert isinstance(row, dict)
        shown = json.loads(row["additional_fields"])["patientId"]
        assert json.loads(kept(data).data)["patientId"] == shown


def test_keys_within_a_wrong_value():
    assert replaced(notes={"patient_id": "PAT-1"})["notes"] == {"patient_id": OWN}
    assert replaced(diagnosis_codes=[{"patient_id": "PAT-1"}])["diagnosis_codes"] == [
        {"patient_id": OWN}
    ]


def test_null_and_empty_text_stay():
    named = NamedFields(CONTRACT, ("notes",), OURS)
    for notes in (None, ""):
        data = json.dumps(CLEAN | {"notes": notes}).encode()
        assert json.loads(named.message(Message(data), fields_of(data)).data)["notes"] == notes


def test_other_fields_keep_every_digit():
    numbers = (
        '"claim_amount": 1e-7, "a": 12345678901234567890123.10, "b": [0.1000000000000000000001]'
    )
    data = f'{{"patient_id": "PAT-1", {numbers}}}'.encode()
    assert kept(data).data.decode() == f'{{"patient_id":"{OWN}",{numbers}}}'.replace(
        ", ", ","
    ).replace(": ", ":")
    for exact in (
        b'{"claim_amount":100000.000000000000000001}',
        b'{"notes":0.1000000000000000000001}',
    ):
        assert kept(exact).data == exact


WITHHELD = {
    "array": {"patient_id": ["PAT-1"]},
    "object": {"patient_id": {"PAT-1": "PAT-1"}},
    "fraction": {"patient_id": 1.5},
    "boolean": {"patient_id": True},
    "null": {"patient_id": None},
    "empty": {"patient_id": ""},
    "too long": {"patient_id": "PAT-1" * 100},
    "too large an integer": {"patient_id": 10**50},
    "pseudonym of another key": {"patient_id": OTHERS.of("patient_id", "PAT-1")},
    "nested too deeply": {"a": json.loads("[" * 300 + "]" * 300)},
}


@pytest.mark.parametrize("changes", WITHHELD.values(), ids=WITHHELD)
def test_wrong_values_withhold_the_message(changes: dict[str, Any]):
    data = json.dumps(CLEAN | changes).encode()
    message = kept(data)
    assert isinstance(message, StructureOnly)
    assert b"PAT-1" not in message.data
    assert json.loads(message.data)["claim_id"] == "string"
    assert isinstance(outcome(data), Rejection) == ("a" not in changes)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b'{"patient_id": "PAT-1"', b'\xff{"patient_id": "PAT-1"}', b'["PAT-1"]'),
        *(b'{"patient_id": "PAT-1"} {}', b'{"patient_id": 1, "patient_id": "PAT-1"}'),
        *(b'{"patient_id": NaN, "a": "PAT-1"}', b'{"patient_id": "PAT-1", "a": "\\ud800"}'),
    ],
)
def test_what_does_not_parse_is_withheld(data: bytes):
    message = kept(data, patient_id="PAT-1")
    row = error_row(message, Rejection("parse", "invalid_json", "x"), NOW)
    assert isinstance(message, StructureOnly)
    shown = {**row, **message_columns(message)}
    assert "PAT-1" not in repr(shown)
    assert (shown["raw_size"], shown["raw_encoding"]) == (len(data), "redacted")
    assert message_data(shown) is None


def test_withheld_message_survives_a_shuffle():
    message = pickle.loads(pickle.dumps(kept(b"no JSON", source="x")))
    assert (type(message), message.size, message.message_id) == (StructureOnly, 7, "7")
    assert message.attributes == {"source": "x"}


def test_beginning_is_withheld_with_the_size_of_the_whole():
    data = Beginning(json.dumps(CLEAN).encode(), 20_000_000)
    message = NAMED.message(Message(data, "7"), fields_of(data))
    assert isinstance(message, StructureOnly)
    assert message.size == 20_000_000
    assert b"PAT-1" not in message.data


def test_surprise_withholds_the_message(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(NAMED, "_data", None)  # calling it raises
    assert isinstance(kept(json.dumps(CLEAN).encode()), StructureOnly)


def test_attributes_that_resemble_a_named_field():
    given_ones = {"patientId": "PAT-1", "claim_id": "", "other": "PAT-1"}
    attributes = kept(b"{}", **given_ones).attributes
    assert attributes == {"patientId": OWN, "claim_id": "", "other": "PAT-1"}
    assert given_ones["patientId"] == "PAT-1"


def test_claim_id_of_a_rejection():
    rejection = Rejection("write", "row_refused", "x", (), "CLM-1")
    assert NAMED.rejection(rejection).claim_id == OURS.of("claim_id", "CLM-1")
    assert NAMED.rejection(rejection._replace(claim_id=None)).claim_id is None
    others = NamedFields(CONTRACT, ("patient_id",), OURS)
    assert others.rejection(rejection).claim_id == "CLM-1"


def test_pseudonym_of_another_key_is_rejected_by_name():
    data = json.dumps(CLEAN | {"patient_id": OTHERS.of("patient_id", "PAT-1")}).encode()
    told = "contains a pseudonym that was made with a different key"
    code = "foreign_pseudonym"
    assert outcome(data) == Rejection(
        "validate", code, f"patient_id: {told}", (Violation("patient_id", code, told),)
    )


@pytest.mark.parametrize(
    "text, reason",
    [
        ("patient_id,patientid", "patientid: is not a field of the claim schema"),
        (
            "claim_amount",
            "claim_amount: cannot hold a pseudonym, because its column is not a STRING",
        ),
        (
            "service_date",
            "service_date: cannot hold a pseudonym, because its column is not a STRING",
        ),
        (
            "diagnosis_codes",
            "diagnosis_codes: cannot hold a pseudonym, because its column is not a STRING",
        ),
        ("plan", "plan: the claim schema does not allow a pseudonym"),
        ("kind", "kind: the claim schema does not allow a pseudonym"),
    ],
)
def test_field_that_cannot_hold_a_pseudonym(text: str, reason: str):
    document = json.loads(CONTRACT.text)
    document["properties"] |= {
        "plan": {"type": "string", "maxLength": 57},
        "kind": {"type": ["string", "null"], "enum": ["A", None]},
    }
    with pytest.raises(DocumentError, match=f"^{reason}"):
        check_names(text, Contract(json.dumps(document)))


def test_every_text_field_of_the_default_contract_can():
    texts = CONTRACT.names("STRING")
    assert len(texts) == 19
    assert check_names(" , ".join((*texts, "notes")), CONTRACT) == texts


def test_what_names_another_claim_has_the_pseudonym_of_its_id():
    names = check_names("claim_id", CONTRACT)
    assert names == ("claim_id", "original_claim_id")
    named = NamedFields(CONTRACT, names, OURS)
    data = json.dumps(CLEAN | {"claim_id": "B", "original_claim_id": "A"}).encode()
    replaced = json.loads(named.message(Message(data), fields_of(data)).data)
    assert replaced["original_claim_id"] == OURS.of("claim_id", "A") == named.of("claim_id", "A")
    assert named.is_pseudonym("original_claim_id", replaced["original_claim_id"])


def test_lines_have_pseudonyms():
    named = NamedFields(CONTRACT, check_names("rendering_npi,patient_id", CONTRACT), OURS)
    row = row_of(service_lines=[{"rendering_npi": "1234567893", "patientId": "PAT-9", "units": 1}])
    new = named.replaced({name: [value] for name, value in row.items()})
    assert new["service_lines"][0][0]["rendering_npi"] == OURS.of("rendering_npi", "1234567893")
    assert "PAT-9" not in repr(new) and "1234567893" not in repr(new["service_lines"])
    assert (new["service_lines"][0][0]["units"], len(row["service_lines"])) == ("1", 1)


def test_contract_with_shared_definitions():
    document = json.loads(CONTRACT.text)
    document["$defs"] = {"id": {"maxLength": 60}}
    document["properties"]["patient_id"]["allOf"] = [{"$ref": "#/$defs/id"}]
    contract = Contract(json.dumps(document))
    assert check_names("patient_id", contract) == ("patient_id",)
    named = NamedFields(contract, ("patient_id",), OURS)
    for length, is_withheld in ((60, False), (61, True)):
        data = json.dumps(CLEAN | {"patient_id": "p" * length}).encode()
        message = named.message(Message(data), fields_of(data))
        assert isinstance(message, StructureOnly) == is_withheld


CANARY = "Canary7f3a"
PLACES = st.sampled_from(["patient_id", "claim_id", "patientId", "Claim_ID"])


def planted(value: Any) -> Any:
    """A value with a canary in place of each text."""
    if isinstance(value, dict):
        return {key: planted(held) for key, held in value.items()}
    if isinstance(value, list):
        return [planted(item) for item in value]
    return CANARY if isinstance(value, str) else value


@BUDGET
@given(claims(), PLACES, JSON_VALUES, st.sampled_from([1, 100]), st.integers(0, 3))
def test_no_named_value_is_kept(claim: dict[str, Any], place: str, value: Any, n: int, cut: int):
    claim = claim | {place: planted(value) if n == 1 else CANARY * n}
    data = json.dumps(claim).encode()
    data = data[: len(data) - cut]
    message = kept(data)
    assert CANARY.encode() not in message.data


@BUDGET
@given(messages() | claims().map(lambda claim: json.dumps(claim).encode()))
def test_replay_ends_as_the_message_did(data: bytes):
    """Nothing raises, and what is kept gives the same row, or the same rejection, once more."""
    first, message = outcome(data), kept(data)
    if isinstance(message, StructureOnly):
        return
    again = outcome(message.data)
    assert again == first
    assert kept(message.data).data == message.data
    clear = fields_of(data)
    assert isinstance(clear, dict)
    for name in NAMES:
        if isinstance(first, dict):
            assert first[name] == OURS.of(name, str(clear[name]))


@BUDGET
@given(claims())
def test_row_is_that_of_the_claim_but_for_the_named_fields(claim: dict[str, Any]):
    data = json.dumps(claim).encode()
    subject = fields_of(data)
    if isinstance(subject, Rejection):
        return
    subject = outcome_of(VALIDATE, subject)
    if isinstance(subject, Rejection):
        return
    plain, row = outcome_of(ENRICH, subject, data), outcome_of(STAGES[2], subject, data)
    assert row.keys() == plain.keys()
    changed = {name for name in row if row[name] != plain[name]}
    assert changed - {"additional_fields"} == set(NAMES)


def test_keys_within_fields_that_hold_objects():
    document = json.loads(CONTRACT.text)
    document["properties"] |= {
        "plan": {"type": ["object", "null"]},
        "lines": {"type": "array", "items": {"type": "object"}},
    }
    contract = Contract(json.dumps(document))
    named = NamedFields(contract, NAMES, OURS)
    enrich = enriching(contract, named)
    held = {"patientId": "PAT-1", "x": 1.5}
    data = json.dumps(CLEAN | {"plan": held, "lines": [held, held]}).encode()
    claim = outcome_of(Validate(contract), fields_of(data))
    assert isinstance(claim, dict)
    row = outcome_of(enrich, claim, data)
    shown = {"patientId": OWN, "x": 1.5}
    assert json.loads(row["plan"]) == shown
    assert [json.loads(text) for text in row["lines"]] == [shown, shown]
    assert claim["lines"] == [held, held]
    kept_ones = json.loads(named.message(Message(data), fields_of(data)).data)
    assert (kept_ones["plan"], kept_ones["lines"]) == (shown, [shown, shown])


def test_another_key_gives_other_pseudonyms():
    other = NamedFields(CONTRACT, NAMES, Pseudonyms(b"x" * 32))
    data = json.dumps(CLEAN).encode()
    assert other.message(Message(data), fields_of(data)) != kept(data)
