"""A pseudonym is the same for equal values, and nobody without the key makes or unmakes one."""

import base64
import hashlib
import hmac
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.privacy.pseudonyms import PREFIX, PSEUDONYM_LENGTH, Pseudonyms
from tests.support.claims.strategies import BUDGET

KEY = b"0123456789abcdef0123456789abcdef"
OURS, OTHERS = Pseudonyms(KEY), Pseudonyms(KEY[::-1])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
OWN = OURS.of("patient_id", "PAT-1")


def test_is_hmac_sha_256_of_field_and_value():
    mac = hmac.new(KEY, b"patient_id:PAT-1", hashlib.sha256).digest()
    assert OWN[: len(PREFIX) + 43] == PREFIX + base64.urlsafe_b64encode(mac).decode().rstrip("=")


@BUDGET
@given(TEXTS)
def test_is_stable_and_short_and_made_once(text: str):
    pseudonym = OURS.of("patient_id", text)
    assert Pseudonyms(KEY).of("patient_id", text) == pseudonym
    assert OURS.of("patient_id", pseudonym) == pseudonym
    assert len(pseudonym) == PSEUDONYM_LENGTH
    assert pseudonym.replace("-", "_").isidentifier()
    assert OURS.is_own("patient_id", pseudonym)
    assert not OURS.is_foreign("patient_id", pseudonym)


@BUDGET
@given(TEXTS, TEXTS)
def test_differs_by_value_field_and_key(text: str, other: str):
    pseudonym = OURS.of("patient_id", text)
    assert (OURS.of("patient_id", other) == pseudonym) == (other == text)
    assert OURS.of("provider_id", text) != pseudonym
    assert OTHERS.of("patient_id", text) != pseudonym


FORGED = {
    "of another key": OTHERS.of("patient_id", "PAT-1"),
    "of another field": OURS.of("claim_id", "PAT-1"),
    "with another check": OWN[:-1] + ("A" if OWN[-1] != "A" else "B"),
    "with another body": OWN[:9] + ("A" if OWN[9] != "A" else "B") + OWN[10:],
    "of letters": PREFIX + "A" * (PSEUDONYM_LENGTH - len(PREFIX)),
    "of other letters": PREFIX + "é" * (PSEUDONYM_LENGTH - len(PREFIX)),
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_what_the_key_has_not_made_is_foreign_and_a_value(forged: str):
    assert OURS.is_foreign("patient_id", forged)
    assert not OURS.is_own("patient_id", forged)
    assert OURS.of("patient_id", forged) != forged


@pytest.mark.parametrize("text", ["PAT-1", PREFIX, OWN[:-1], OWN + "A", OWN.upper(), f" {OWN[1:]}"])
def test_what_has_another_form_is_a_value(text: str):
    assert not OURS.is_foreign("patient_id", text)
    assert not OURS.is_own("patient_id", text)
    assert OURS.of("patient_id", text) != text


def test_null_is_no_pseudonym():
    assert not OURS.is_own("patient_id", None)


def test_key_is_neither_pickled_nor_shown():
    with pytest.raises(TypeError, match="a key must not be pickled"):
        pickle.dumps(OURS)
    assert KEY.decode() not in repr(OURS)
