"""Claim schemas and rules that an operator brings: refused with the place, or accepted."""

import json
import pickle
from typing import Any

import pytest

from pipeline.claims import document_text
from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.contract import Contract, default_contract_text
from pipeline.claims.document_text import DocumentError
from pipeline.claims.documents import check_contract, check_rules
from pipeline.claims.judgement import Scorer, Unchanging
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.claims.rules import default_rules_text
from pipeline.claims.signals.facts import Facts
from pipeline.claims.stages import Parse, Validate
from tests.support.claims.case_files import Case, identity, load, text_of
from tests.support.claims.core import CLEAN, CONTRACT, NOW, RULES, outcome_of

OURS = ("risk_reasons", "message_id")


def document_of(case: Case, default: str) -> str:
    """The default document with one place set or removed, or a text of the case's own."""
    if "text" in case or "pieces" in case:
        return text_of(case)
    document = json.loads(default)
    path = (case.get("set") or case["remove"]).split(".")
    target = document
    for step in path[:-1]:
        target = target[int(step) if isinstance(target, list) else step]
    last = int(path[-1]) if isinstance(target, list) else path[-1]
    if "set" in case:
        target[last] = case["value"]
    else:
        del target[last]
    return json.dumps(document)


@pytest.mark.parametrize("case", load("claim_schema"), ids=identity)
def test_claim_schema(case: Case) -> None:
    text = document_of(case, default_contract_text())
    if "accepted" in case:
        check_contract(text, OURS)
        return
    with pytest.raises(DocumentError) as caught:
        check_contract(text, OURS)
    assert_place(caught.value, case["refused_at"])


@pytest.mark.parametrize("case", load("rules_document"), ids=identity)
def test_rules(case: Case) -> None:
    text = document_of(case, default_rules_text())
    if "accepted" in case:
        Scorer(check_rules(text, CONTRACT), Facts({}))
        return
    with pytest.raises(DocumentError) as caught:
        check_rules(text, CONTRACT)
    assert_place(caught.value, case["refused_at"])


def assert_place(error: DocumentError, place: str) -> None:
    """The error is one line that begins with the place; without one, with the reason."""
    text = str(error)
    assert "\n" not in text
    if place:
        assert text.startswith(f"{place}: ")
    else:
        assert text.startswith(("not JSON", "does not compile", "must be an object", "larger than"))


def branching(levels: int) -> dict[str, Any]:
    """Definitions of which each refers twice to the next."""
    definitions: dict[str, Any] = {f"d{levels}": {"type": "integer"}}
    for level in range(levels):
        below = {"$ref": f"#/$defs/d{level + 1}"}
        definitions[f"d{level}"] = {"anyOf": [below, {"not": below}]}
    return definitions


@pytest.mark.parametrize("levels, is_accepted", [(8, True), (40, False)])
def test_references_that_branch(levels: int, is_accepted: bool) -> None:
    """40 levels would keep a worker busy for hours, with one claim."""
    document = json.loads(default_contract_text())
    document["$defs"] = branching(levels)
    document["properties"]["extra"] = {"type": "integer", "allOf": [{"$ref": "#/$defs/d0"}]}
    if is_accepted:
        check_contract(json.dumps(document), OURS)
        return
    with pytest.raises(DocumentError, match=r"^properties\.extra.* 100,000 schemas") as caught:
        check_contract(json.dumps(document), OURS)
    assert "$ref" in str(caught.value)


@pytest.mark.parametrize(
    "name, reference",
    [
        ("", "#/%24defs/d{}"),
        ("", "http://x/root#/$defs/d{}"),
        ("$anchor", "#d{}"),
        ("$dynamicAnchor", "#%64{}"),
        ("$id", "d{}"),
        ("$id", "./d{}"),
        ("$id", "http://x/d{}"),
    ],
)
def test_a_reference_is_followed_however_it_is_written(name: str, reference: str) -> None:
    """The launch itself would hang, for it tries the document."""
    document = json.loads(default_contract_text()) | {"$id": "http://x/root"}
    definitions: dict[str, Any] = {"d40": {"type": "integer"}}
    for level in range(40):
        below = {"$ref": reference.format(level + 1)}
        definitions[f"d{level}"] = {"anyOf": [below, {"not": below}]}
    if name:
        definitions = {key: {name: key, **schema} for key, schema in definitions.items()}
    document["$defs"] = definitions
    document["properties"]["extra"] = {"type": "integer", "$ref": reference.format(0)}
    with pytest.raises(DocumentError, match=r"^properties\.extra.* 100,000 schemas"):
        check_contract(json.dumps(document), OURS)


A, B = {"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}


@pytest.mark.parametrize(
    "definitions, is_accepted",
    [
        ({"A": {"properties": {"next": A}, "required": ["next"]}}, True),
        ({"A": {"properties": {"left": A, "right": A}, "items": A}}, True),
        ({"A": {"properties": {"next": {"anyOf": [A, {"type": "null"}]}}}}, True),
        ({"A": {"properties": {"next": B}}, "B": {"properties": {"a": A, "b": B}}}, True),
        ({"A": {"properties": {"next": {"allOf": [A, A]}}, "required": ["next"]}}, False),
        ({"A": {"properties": {"next": {"oneOf": [A, {"not": A}]}}}}, False),
        ({"A": {"properties": {"next": A}, "patternProperties": {"^n": A}}}, False),
        ({"A": {"properties": {"next": B}}, "B": {"anyOf": [A, {"items": A}]}}, False),
        (
            {
                "A": {"properties": {"next": {"allOf": [B, B]}}},
                "B": {"properties": {"a": {"properties": {"a": A, "b": B}}}},
            },
            False,
        ),
    ],
)
def test_what_leads_back_to_itself(definitions: dict[str, Any], is_accepted: bool) -> None:
    """What is wrong with a claim that is nested 18 levels took 40 s to list, and 30 hours."""
    document = json.loads(default_contract_text()) | {"$defs": definitions}
    document["properties"]["extra"] = {"type": "object", "$ref": "#/$defs/A"}
    if is_accepted:
        check_contract(json.dumps(document), OURS)
        return
    with pytest.raises(DocumentError, match=r"^properties\.extra\.\$ref\..* leads back to itself"):
        check_contract(json.dumps(document), OURS)


def test_dependencies_count() -> None:
    """The engine applies this keyword of older drafts, too: the launch itself hung."""
    document = json.loads(default_contract_text())
    document["$defs"] = {"d40": {"type": "object"}}
    for level in range(40):
        below = {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}]}
        document["$defs"][f"d{level}"] = {"dependencies": {"a": below, "b": below, "c": ["a"]}}
    document["properties"]["extra"] = {"type": "object", "$ref": "#/$defs/d0"}
    with pytest.raises(DocumentError, match=r"^properties\.extra.* 100,000 schemas"):
        check_contract(json.dumps(document), OURS)


@pytest.mark.parametrize("values, is_accepted", [(range(9_000), True), (range(11_000), False)])
def test_numbers_to_compare_with(values: range, is_accepted: bool) -> None:
    """A fraction is compared with each of them: with 90,000, one claim took a tenth of a second."""
    rule = {"id": "a", "description": "", "weight": 0.1}
    rule["when"] = {"properties": {"claim_amount": {"enum": [*values]}}}
    text = json.dumps({"risk_rules": [rule], "quality_rules": []})
    if is_accepted:
        check_rules(text, CONTRACT)
        return
    with pytest.raises(DocumentError, match=r"^risk_rules\[0\]\.when\.properties\.claim_amount: "):
        check_rules(text, CONTRACT)


def test_numbers_of_all_rules_count() -> None:
    """15 such rules took 150 ms for a claim whose amount has cents; workers read rules again."""
    rules = [
        {"id": f"r{place}", "description": "", "weight": 0.1, "when": {"properties": {name: enum}}}
        for place, (name, enum) in enumerate(
            [
                ("claim_amount", {"enum": [*range(6_000)]}),
                ("patient_age", {"enum": [*range(6_000)]}),
            ]
        )
    ]
    check_rules(json.dumps({"risk_rules": rules[:1], "quality_rules": []}), CONTRACT)
    quality = [{key: each for key, each in rules[1].items() if key != "weight"}]
    for document in (
        {"risk_rules": rules, "quality_rules": []},
        {"risk_rules": rules[:1], "quality_rules": quality},
    ):
        with pytest.raises(DocumentError, match=r"_rules\[[01]\]\.when.* 100,000 schemas"):
            check_rules(json.dumps(document), CONTRACT)


def test_text_to_compare_with_is_looked_up() -> None:
    rule = {"id": "a", "description": "", "weight": 0.1}
    rule["when"] = {"properties": {"notes": {"enum": [f"n{number}" for number in range(50_000)]}}}
    check_rules(json.dumps({"risk_rules": [rule], "quality_rules": []}), CONTRACT)


def in_each_other(levels: int, keyword: str) -> dict[str, Any]:
    schema: dict[str, Any] = {keyword: False}
    for _ in range(levels):
        schema = {"allOf": [schema], keyword: False}
    return schema


@pytest.mark.parametrize("keyword", ["unevaluatedProperties", "unevaluatedItems"])
@pytest.mark.parametrize("levels, is_accepted", [(6, True), (20, False)])
def test_what_is_unevaluated_is_asked_at_each_level(
    keyword: str, levels: int, is_accepted: bool
) -> None:
    """20 levels took 10 s a claim, and kept the launch, or the watch of a worker, for a minute."""
    rule = {"id": "a", "description": "", "weight": 0.1}
    rule["when"] = {"properties": {"notes": in_each_other(levels, keyword)}}
    text = json.dumps({"risk_rules": [rule], "quality_rules": []})
    if is_accepted:
        check_rules(text, CONTRACT)
        return
    with pytest.raises(DocumentError, match=r"^risk_rules\[0\]\.when\.properties\.notes.*100,000"):
        check_rules(text, CONTRACT)


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": [{"a": [*range(200), last]} for last in range(900)]},
        {"anyOf": [{"const": [*range(100), last]} for last in range(1_500)]},
    ],
)
def test_arrays_to_compare_with(schema: dict[str, Any]) -> None:
    """A tenth of a second for a claim that differs from each in its last item alone."""
    document = json.loads(default_contract_text())
    document["properties"]["extra"] = {"type": "object", **schema}
    with pytest.raises(DocumentError, match=r"^properties\.extra.* 100,000 schemas"):
        check_contract(json.dumps(document), OURS)


def test_an_exponent_that_is_too_large() -> None:
    text = '{"risk_rules": [], "quality_rules": [], "x": 1e99999999999999999999}'
    with pytest.raises(DocumentError, match="^not JSON: the exponent of a number is too large$"):
        check_rules(text, CONTRACT)


def test_a_document_is_read_once_however_many_rules_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """3,000 rules kept a launch for minutes, for each of them the whole document was read."""
    read: list[int] = []
    load_document = document_text.load
    monkeypatch.setattr(
        document_text,
        "load",
        lambda text, *more, **by: read.append(len(text)) or load_document(text, *more, **by),
    )
    rules = [{"id": f"r{n}", "description": "", "when": True, "weight": 0} for n in range(50)]
    text = json.dumps({"risk_rules": rules, "quality_rules": []})
    check_rules(text, CONTRACT)
    assert read.count(len(text)) == 1
    assert sum(read) < 2 * len(text) + 2 * len(default_contract_text())


def test_references_in_a_row_too_long_to_follow() -> None:
    document = json.loads(default_contract_text())
    document["$defs"] = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(2_000)}
    document["$defs"]["d2000"] = {}
    document["properties"]["extra"] = {"type": "integer", "allOf": [{"$ref": "#/$defs/d0"}]}
    with pytest.raises(DocumentError, match="nested too deeply"):
        check_contract(json.dumps(document), OURS)


def test_fields_of_records_are_columns() -> None:
    """BigQuery refused the table, a minute after the launch had accepted the schema."""
    fields = {f"f{number}": {"type": "string"} for number in range(900)}
    record = {"type": "object", "x-bigquery": {"type": "RECORD"}, "properties": fields}
    document = json.loads(default_contract_text())
    document["properties"] |= {f"p{n}": {"type": "array", "items": record} for n in range(12)}
    with pytest.raises(DocumentError, match=r"^properties: a table can have at most 10,000"):
        check_contract(json.dumps(document), OURS)


@pytest.mark.parametrize("length, is_accepted", [(1_024, True), (1_025, False)])
def test_description_of_a_column(length: int, is_accepted: bool) -> None:
    document = json.loads(default_contract_text())
    document["properties"]["notes"]["description"] = "x" * length
    if is_accepted:
        check_contract(json.dumps(document), OURS)
        return
    with pytest.raises(DocumentError, match=r"^properties\.notes\.description: "):
        check_contract(json.dumps(document), OURS)


def test_condition_with_a_reference_sees_what_it_refers_to() -> None:
    rules = json.loads(default_rules_text())
    rules["quality_rules"] = []
    rules["risk_rules"] = [
        {
            "id": "as_young_as_cheap",
            "description": "Both below 5.",
            "weight": 1,
            "when": {
                "properties": {
                    "claim_amount": {"$ref": "#/properties/patient_age"},
                    "patient_age": {"type": "number", "maximum": 5},
                }
            },
        }
    ]
    scorer = Scorer(check_rules(json.dumps(rules), CONTRACT), Facts({}))
    facts = {"claim_amount": (4, 6, 4), "patient_age": (4, 4, 6)}
    assert scorer.fired(facts) == [1, 0, 0]


def judge(document: dict[str, Any], claim: dict[str, Any]) -> dict[str, Any] | Rejection:
    return outcome_of(Validate(check_contract(json.dumps(document))), claim)


def test_added_field_becomes_a_column() -> None:
    document = json.loads(default_contract_text())
    document["properties"]["network"] = {"type": ["string", "null"], "description": "Network."}
    contract = check_contract(json.dumps(document), OURS)
    assert [column.name for column in contract.columns[:-1]] == list(CONTRACT.properties)
    assert (contract.columns[-1].name, contract.columns[-1].type) == ("network", "STRING")
    claim = judge(document, CLEAN | {"network": "IN", "unknown": 1})
    assert isinstance(claim, dict)
    assert (claim["network"], claim["additional_fields"]) == ("IN", '{"unknown":1}')
    assert judge(document, CLEAN)["network"] is None  # type: ignore[index]


def test_tightened_maximum_rejects() -> None:
    document = json.loads(default_contract_text())
    document["properties"]["claim_amount"]["maximum"] = 100
    rejection = judge(document, CLEAN)
    assert isinstance(rejection, Rejection)
    assert [v[:2] for v in rejection.violations] == [("claim_amount", "maximum")]


def test_unknown_fields_can_be_forbidden() -> None:
    document = json.loads(default_contract_text())
    document["additionalProperties"] = False
    rejection = judge(document, CLEAN | {"Canary-1": "Canary-2"})
    assert isinstance(rejection, Rejection)
    assert [v[:2] for v in rejection.violations] == [("", "additionalProperties")]
    assert "Canary" not in repr(rejection)
    assert not rejection.error.startswith(":")


def test_numbers_of_added_fields_are_spelt_as_their_columns() -> None:
    document = json.loads(default_contract_text())
    document["properties"] |= {
        "units": {"type": "integer"},
        "ratio": {"type": "number"},
        "lines": {"type": "array", "items": {"type": "integer"}},
        "paid": {"type": "number", "x-bigquery": {"type": "BIGNUMERIC"}},
    }
    contract = check_contract(json.dumps(document), OURS)
    data = (
        json.dumps(CLEAN).encode()[:-1]
        + b', "units": 12345678901234567890.0, "ratio": 0.12345678901234567890,'
        b' "lines": [1.0, "2"], "paid": 0.12345678901234567890}'
    )
    fields = outcome_of(Parse(contract), Message(data))
    assert isinstance(fields, dict)
    claim = outcome_of(Validate(contract), fields)
    assert isinstance(claim, dict)
    assert repr(claim["units"]) == "12345678901234567890"
    assert repr(claim["ratio"]) == "0.12345678901234568"
    assert repr(claim["lines"]) == "[1, 2]"
    assert str(claim["paid"]) == "0.12345678901234567890"


def test_label_stays_forbidden_where_the_schema_forgets_to_say_so() -> None:
    document = json.loads(default_contract_text())
    del document["properties"]["synthetic_label_is_fraud"]["x-label"]
    rules = json.loads(default_rules_text())
    rules["risk_rules"][0]["when"] = {"properties": {"synthetic_label_is_fraud": {"const": 1}}}
    with pytest.raises(DocumentError, match=r"^risk_rules\[0\].when: "):
        check_rules(json.dumps(rules), check_contract(json.dumps(document), OURS))


def test_rule_may_not_read_a_field_that_is_marked_as_label() -> None:
    document = json.loads(default_contract_text())
    document["properties"]["outcome"] = {"type": "string", "x-label": True}
    rules = json.loads(default_rules_text())
    rules["quality_rules"][0]["when"] = {"required": ["outcome"]}
    with pytest.raises(DocumentError, match=r"^quality_rules\[0\].when: "):
        check_rules(json.dumps(rules), check_contract(json.dumps(document), OURS))


def test_default_rules_serve_a_schema_without_the_fields_that_they_read() -> None:
    document = json.loads(default_contract_text())
    core = document["required"]
    document["properties"] = {name: document["properties"][name] for name in core}
    contract = check_contract(json.dumps(document), OURS)
    rows = ClaimRows(contract, Unchanging(check_rules(default_rules_text(), contract)), 0.5, "test")
    claim = outcome_of(Validate(contract), {name: CLEAN[name] for name in core})
    assert isinstance(claim, dict)
    row = rows.rows([Message(b"")], [claim], NOW)[0]
    assert row["risk_reasons"] == ("no_diagnosis", "no_procedure")
    assert "missing_patient_gender" in row["quality_issues"]


def test_documents_survive_the_way_to_a_worker() -> None:
    contract, rules = pickle.loads(pickle.dumps((CONTRACT, RULES)))
    assert contract.accept([CLEAN]) == [True]
    contract, rules = pickle.loads(pickle.dumps((contract, rules)))  # compiled by now
    assert (contract.text, contract.columns) == (CONTRACT.text, CONTRACT.columns)
    assert contract.version == CONTRACT.version == json.loads(CONTRACT.text)["x-version"]
    assert (rules.text, rules.risk, rules.quality) == (RULES.text, RULES.risk, RULES.quality)


def test_version_without_one_is_a_digest() -> None:
    document = json.loads(default_contract_text())
    del document["x-version"]
    first, second = Contract(json.dumps(document)), Contract(json.dumps(document, indent=1))
    assert len(first.version) == 12
    assert first.version != second.version
