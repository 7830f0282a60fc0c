"""Reference files in Cloud Storage: found by generation, by pattern, and read as one version."""

from collections.abc import Iterator

import pytest

from pipeline import clients
from pipeline.claims.contract import Contract
from pipeline.claims.rules import Rules
from pipeline.reference.files import FileUnusable, Reading, look
from pipeline.reference.watch import ReferenceFiles, Watch
from tests.support.claims import reference_lists
from tests.support.google.storage import Storage, storage_server

LIMIT = 10_000


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    with storage_server() as server:
        yield server


@pytest.fixture
def bucket(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in storage.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
    clients.storage_client.cache_clear()
    yield storage.new_bucket()
    clients.storage_client.cache_clear()


def test_another_generation_is_another_version(storage: Storage, bucket: str) -> None:
    address = f"gs://{bucket}/lists/a.csv"
    storage.write(address, b"one\ntwo\n")
    [before] = look(address)
    assert (before.path, before.size) == (address, 8)
    assert look(address) == (before,)
    storage.write(address, b"one\nsix\n")
    [after] = look(address)
    assert after.generation != before.generation
    assert list(Reading((after,), LIMIT).lines()) == ["one\n", "six\n"]


def test_what_was_replaced_meanwhile_is_not_mixed_with_its_successor(
    storage: Storage, bucket: str
) -> None:
    address = f"gs://{bucket}/a.csv"
    storage.write(address, b"one\ntwo\n")
    before = look(address)
    storage.write(address, b"three\nfour\n")
    with pytest.raises(FileUnusable):
        list(Reading(before, LIMIT).lines())


def test_a_pattern_takes_its_parts_in_order(storage: Storage, bucket: str) -> None:
    for name in ("b-2.csv", "b-1.csv", "other.csv", "b-3.txt"):
        storage.write(f"gs://{bucket}/{name}", f"header\n{name}\n".encode())
    parts = look(f"gs://{bucket}/b-*.csv")
    assert list(Reading(parts, LIMIT).lines()) == ["header\n", "b-1.csv\n", "b-2.csv\n"]


def test_what_is_not_there_is_said(bucket: str) -> None:
    for address in (f"gs://{bucket}/nothing.csv", f"gs://{bucket}/n*", "gs://no-such-bucket/a"):
        with pytest.raises(FileUnusable) as unusable:
            look(address)
        assert "\n" not in str(unusable.value)


def test_a_large_file_is_not_read(storage: Storage, bucket: str) -> None:
    storage.write(f"gs://{bucket}/a.csv", b"x" * (LIMIT + 1))
    with pytest.raises(FileUnusable, match="10,001 bytes exceed the limit of 10,000"):
        Reading(look(f"gs://{bucket}/a.csv"), LIMIT)


def test_a_watch_takes_the_new_generation(storage: Storage, bucket: str) -> None:
    address = f"gs://{bucket}/mue.csv"
    text = reference_lists.text("mue_table")
    storage.write(address, text.encode())
    files = ReferenceFiles((("mue_table", address),), 0)
    watch = Watch(files, Rules.default(), Contract.default())
    watch.start()
    assert watch.now().lookups["mue_table"].of_day["10001"] == 2
    storage.write(address, text.replace("10001,2,", "10001,3,").encode())
    watch.look()
    assert watch.now().lookups["mue_table"].of_day["10001"] == 3
    storage.write(address, text[: len(text) // 2].encode())
    watch.look()
    assert watch.now().lookups["mue_table"].of_day["10001"] == 3
