"""Mutations that keep most of a claim: those of bytes alone hardly ever make another valid one."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.support import hostile_corpus as corpus
from tests.support.claims.core import CLEAN
from tests.support.fuzz.oracles import OWN, OWN_FIELDS

NAMES = [*OWN.properties, "additional_fields", "message_id", "risk_reasons", "unknown", "", '":']
LITERALS = [
    *("null", "true", "0", "-0", "1", "45.0", "-1", "151", "1e2", "0.1", "1e-9", "1e-10", "1e400"),
    *("1000000", "1000000.000000001", "123456789012345678", "18446744073709551616", "1e-400"),
    *("0.30000000000000004", "999999.999999999", "1e29", "1e-38", "1e-39", "NaN", "-Infinity"),
    *('""', '" "', '"None"', '"12.5"', '"1e2"', '"45.0"', '"A1,B2"', '","', '"2026-02-29"'),
    *('"2024-02-29"', '"0001-01-01"', '"9999-12-31"', '"0000-01-01"', '"2026-03-04T10:00:00"'),
    *('"0001-01-01T00:00:00+23:59"', '"9999-12-31T23:59:59.999999-23:59"', '"\\\\ud800"'),
    *('"2026-06-30T23:59:60Z"', '"2026-01-01t10:00:00.123456789z"', '"2026-01-01T10:00:00+24:00"'),
    *("[]", "[null]", "[1]", '["I10"]', "[true, 0.5]", "[[]]", "{}", '{"a": 1}', '{"": null}'),
    *('[{"code": 1}]', '{"a": {"b": []}}', '"1234567893"', '"0000000000"', '"99"', '"AA"'),
]
_COMPACT = (",", ":")
Fields = list[tuple[str, str]]
"""Names and JSON values of an object, in their order; a name may stand twice."""


def mutate(data: bytes, max_size: int, seed: int, of_bytes: Callable[[bytes, int], bytes]) -> bytes:
    """A message made from another: half of them by `of_bytes` alone, as libFuzzer does it."""
    random = Random(seed)
    fields = _fields_of(data)
    if fields is None or random.random() < 0.5:
        return of_bytes(data, max_size)
    for _ in range(random.randint(1, 3)):
        _CHANGES[random.randrange(len(_CHANGES))](fields, random)
    made = _message_of(
        fields, *random.choice([(": ", ", "), (":", ","), (" :", " ,"), (":\t", ", ")])
    )
    return made if len(made) <= max_size else of_bytes(data, max_size)


def _fields_of(data: bytes) -> Fields | None:
    try:
        pairs = json.loads(data, object_pairs_hook=list)
        if isinstance(pairs, list) and all(isinstance(each, tuple) for each in pairs):
            return [
                (
                    json.dumps(name),
                    json.dumps(_whole(value), separators=_COMPACT, ensure_ascii=False),
                )
                for name, value in pairs
            ]
    except (ValueError, RecursionError):
        pass
    return None


def _whole(value: Any) -> Any:
    """An inner object, which `object_pairs_hook` has made a list of pairs, as an object again."""
    if isinstance(value, list):
        if value and all(isinstance(each, tuple) for each in value):
            return {name: _whole(item) for name, item in value}
        return [_whole(item) for item in value]
    return value


def _message_of(fields: Fields, colon: str, comma: str) -> bytes:
    text = comma.join(f"{name}{colon}{value}" for name, value in fields)
    return f"{{{text}}}".encode(errors="replace")


def _set(fields: Fields, random: Random) -> None:
    name, value = json.dumps(random.choice(NAMES)), _value(random)
    places = [place for place, field in enumerate(fields) if field[0] == name]
    if places:
        fields[places[0]] = (name, value)
    else:
        fields.append((name, value))


def _add(fields: Fields, random: Random) -> None:
    fields.insert(random.randint(0, len(fields)), (json.dumps(_text(random)), _value(random)))


def _remove(fields: Fields, random: Random) -> None:
    if fields:
        del fields[random.randrange(len(fields))]


def _double(fields: Fields, random: Random) -> None:
    if fields:
        fields.append(random.choice(fields))


def _wrap(fields: Fields, random: Random) -> None:
    if fields:
        place, times = random.randrange(len(fields)), random.choice([1, 2, 30, 300])
        name, value = fields[place]
        start, end = random.choice([("[", "]"), ('{"a": ', "}"), ("[0, ", "]")])
        fields[place] = (name, start * times + value + end * times)


def _restore(fields: Fields, _random: Random) -> None:
    """Back to a claim that is valid, but for the fields that it does not have."""
    valid = {json.dumps(name): json.dumps(value) for name, value in CLEAN.items()}
    fields[:] = [*valid.items(), *(field for field in fields if field[0] not in valid)]


def _value(random: Random) -> str:
    kind = random.random()
    if kind < 0.5:
        return random.choice(LITERALS)
    if kind < 0.7:
        return json.dumps(_text(random), ensure_ascii=random.random() < 0.5)
    if kind < 0.8:
        return f"{random.choice(['', '-'])}{random.randrange(10 ** random.randint(1, 22))}"
    if kind < 0.9:
        return f"{random.randrange(10**7)}.{random.randrange(10 ** random.randint(1, 12)):03d}"
    return json.dumps({"type": "object"} if random.random() < 0.2 else [_text(random)] * 4)


def _text(random: Random) -> str:
    return random.choice(_TEXTS)


_TEXTS = [*corpus.texts().values(), *OWN_FIELDS]
_CHANGES = (_set, _set, _set, _add, _remove, _double, _wrap, _restore)
