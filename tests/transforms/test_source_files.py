"""Which files a pattern matches, and how two versions of a file are told apart."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.clients import write_credentials
from pipeline.transforms import source_files
from pipeline.transforms.source_files import UnfitFiles, match
from tests.support.google.storage import Storage, storage_server

NAMES = ("a1.ndjson", "a2.ndjson", "a[1].ndjson", "b*.ndjson", "b1.ndjson", "c{1,2}.ndjson", "d{1}")
MATCHES = {
    "a1.ndjson": {"a1.ndjson"},
    "a[1].ndjson": {"a[1].ndjson"},
    "a[1-3].ndjson": {"a1.ndjson", "a2.ndjson"},
    "a[[]1].ndjson": {"a[1].ndjson"},
    "b*.ndjson": {"b*.ndjson"},
    "b?.ndjson": {"b*.ndjson", "b1.ndjson"},
    "{a,b}1.ndjson": {"a1.ndjson", "b1.ndjson"},
    "{a,b}{1,2}.ndjson": {"a1.ndjson", "a2.ndjson", "b1.ndjson"},
    "{a{1,2},b?,x}.ndjson": {"a1.ndjson", "a2.ndjson", "b*.ndjson", "b1.ndjson"},
    "{a1,a?}.ndjson": {"a1.ndjson", "a2.ndjson"},
    "c{1,2}.ndjson": {"c{1,2}.ndjson"},
    "d{1}": {"d{1}"},
    "e*": set(),
    "": set(NAMES),
}
"""What each pattern matches in a folder with `NAMES`."""


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    credentials = str(write_credentials(tmp_path_factory.mktemp("credentials")))
    with storage_server() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", credentials)
        yield server


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
@pytest.mark.parametrize("pattern, expected", MATCHES.items(), ids=[*MATCHES][:-1] + ["folder"])
def test_local_pattern(pattern: str, expected: set[str], tmp_path: Path):
    (tmp_path / "folder").mkdir()
    for name in NAMES:
        (tmp_path / "folder" / name).write_bytes(b"x")
    found = [file.path for file in match(f"{tmp_path}/folder/{pattern}")]
    assert sorted(found) == sorted(f"{tmp_path}/folder/{name}" for name in expected)


@pytest.fixture(scope="module")
def bucket(storage: Storage) -> str:
    name = storage.new_bucket()
    for each in NAMES:
        storage.write(f"gs://{name}/folder/{each}", b"x")
    return name


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
@pytest.mark.parametrize("pattern, expected", MATCHES.items(), ids=[*MATCHES][:-1] + ["folder"])
def test_pattern_of_objects(pattern: str, expected: set[str], bucket: str):
    found = [file.path for file in match(f"gs://{bucket}/folder/{pattern}")]
    assert sorted(found) == sorted(f"gs://{bucket}/folder/{name}" for name in expected)


def test_version_of_an_object_is_its_generation(storage: Storage):
    bucket = storage.new_bucket()
    versions = []
    for content in (b"ab", b"cd"):
        storage.write(f"gs://{bucket}/day.ndjson", content)
        [file] = match(f"gs://{bucket}/*.ndjson")
        assert (file.size, file.version) == (2, storage.objects(bucket)["day.ndjson"])
        versions.append(file.version)
    assert len(set(versions)) == 2


def test_version_of_a_local_file_is_its_time_and_size(tmp_path: Path):
    path = tmp_path / "day.ndjson"
    path.write_bytes(b"ab")
    os.utime(path, ns=(0, 1_795_891_160_766_000_000))
    [file] = match(str(path))
    assert file.version == "1795891160766000-2"
    assert list(match(str(path))) == [file]
    path.write_bytes(b"abc")
    assert [file] != list(match(str(path)))


def test_a_folder_is_no_file(tmp_path: Path):
    (tmp_path / "a[1]").mkdir()
    assert list(match(str(tmp_path))) == list(match(f"{tmp_path}/a[1]")) == []


@pytest.mark.parametrize("name", [b"a\nb", b"a\rb", b"a\xff"])
def test_a_name_that_no_id_can_hold_is_refused(name: bytes, tmp_path: Path):
    try:
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).touch()
    except OSError:
        pytest.skip("this file system takes no such names")
    with pytest.raises(UnfitFiles) as refusal:
        list(match(f"{tmp_path}/*"))
    assert str(refusal.value).isprintable()


def test_braces_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(source_files, "MAX_ALTERNATIVES", 4)
    assert list(match("/nowhere/{a,b}{a,b}")) == []
    with pytest.raises(UnfitFiles, match="more than 4"):
        list(match("/nowhere/{a,b}{a,b}{a,b}"))


@pytest.mark.parametrize("pattern", ["claims", "*"])
def test_a_pipe_is_no_empty_file(pattern: str, tmp_path: Path):
    """As of `<(zcat claims.gz)`: it seems to hold nothing, and all its messages were left out."""
    os.mkfifo(tmp_path / "claims")
    with pytest.raises(UnfitFiles, match="not a regular file but a pipe"):
        list(match(str(tmp_path / pattern)))
