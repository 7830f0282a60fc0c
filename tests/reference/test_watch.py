"""Reference files are read again while they change; a bad one never takes the place of a good."""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.claims.contract import Contract
from pipeline.claims.rules import Rules, default_rules_text
from pipeline.reference import files as reference_files
from pipeline.reference.watch import ReferenceFiles, Watch, shared
from tests.support.claims import reference_lists

CONTRACT = Contract.default()
RULES = Rules.default()
EXCLUSIONS = reference_lists.text("excluded_providers")
Put = Callable[[str], None]


def watch_over(
    path: Path | str, parameter: str = "excluded_providers", minutes: float = 0
) -> Watch:
    watch = Watch(ReferenceFiles(((parameter, str(path)),), minutes), RULES, CONTRACT)
    watch.start()
    return watch


def put(path: Path, text: str) -> None:
    """Replace a file at once, as Cloud Storage does; with another time of change."""
    new = path.with_suffix(".new")
    new.write_text(text)
    before = path.stat().st_mtime_ns if path.exists() else time.time_ns()
    os.utime(new, ns=(before + 1_000_000, before + 1_000_000))
    new.replace(path)


@pytest.fixture
def leie(tmp_path: Path) -> Path:
    path = tmp_path / "UPDATED.csv"
    path.write_text(EXCLUSIONS)
    return path


def with_another(text: str) -> str:
    return text + '"","","","","","","","1999999992","","","","","","1128a1","20200101","","",""\n'


def test_a_new_file_is_swapped_in(leie: Path) -> None:
    watch = watch_over(leie)
    before = watch.now()
    assert before.versions == watch.now().versions
    assert before.lookups["excluded_providers"].on("1999999992", "2024-01-01") is None
    put(leie, with_another(EXCLUSIONS))
    watch.look()
    after = watch.now()
    assert after.lookups["excluded_providers"].on("1999999992", "2024-01-01") is not None
    assert after.versions != before.versions
    assert watch.take_counts() == {"reference_read_excluded_providers": 2}
    assert not watch.take_counts()


def test_what_has_not_changed_is_not_read_again(
    leie: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = watch_over(leie)
    basis = watch.now()
    monkeypatch.setattr(reference_files, "_opened", None)  # whoever reads, fails
    watch.look()
    assert watch.now() is basis
    assert watch.take_counts() == {"reference_read_excluded_providers": 1}


def test_the_same_text_again_is_the_same_basis(leie: Path) -> None:
    watch = watch_over(leie)
    basis = watch.now()
    put(leie, EXCLUSIONS)
    watch.look()
    assert watch.now() is basis


HALF_WRITTEN = EXCLUSIONS[: len(EXCLUSIONS) // 2]
FIRST_ROW = "".join(EXCLUSIONS.splitlines(keepends=True)[:2])
BAD = {
    "vanished": lambda path: path.unlink(),
    "half written, cut in a row": lambda path: put(path, HALF_WRITTEN),
    "half written, cut after a row": lambda path: put(path, FIRST_ROW),
    "empty": lambda path: put(path, ""),
    "header only": lambda path: put(path, EXCLUSIONS.splitlines(True)[0]),
    "another layout": lambda path: put(path, EXCLUSIONS.replace("EXCLDATE", "SINCE")),
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 100),
    "10 GB": lambda path: os.truncate(path, 10 << 30),  # sparse: takes no room
    "a directory": lambda path: (path.unlink(), path.mkdir()),
    "no permission": lambda path: (path.unlink(), path.symlink_to("/proc/1/mem")),
    "an endless line": lambda path: put(path, "x" * 5_000_000),
}


@pytest.mark.parametrize("happens", BAD)
def test_a_bad_file_leaves_the_old_one_in_use(
    leie: Path, happens: str, caplog: pytest.LogCaptureFixture
) -> None:
    watch = watch_over(leie)
    basis = watch.now()
    watch.take_counts()
    BAD[happens](leie)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            watch.look()
    assert watch.now() is basis
    assert watch.take_counts() == {"reference_unusable_excluded_providers": 5}
    [record] = caplog.records  # within a minute, one line
    assert record.getMessage().startswith("reference files: excluded_providers: ")
    assert "the previous version stays in use" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_a_bad_file_is_read_once(leie: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = watch_over(leie)
    put(leie, "not,a,list\n")
    watch.look()
    monkeypatch.setattr(reference_files, "_opened", None)
    watch.take_counts()
    watch.look()
    assert watch.take_counts() == {"reference_unusable_excluded_providers": 1}


def test_a_good_file_after_a_bad_one(leie: Path) -> None:
    watch = watch_over(leie)
    put(leie, "not,a,list\n")
    watch.look()
    put(leie, with_another(EXCLUSIONS))
    watch.look()
    assert watch.now().lookups["excluded_providers"].size == 5


def test_a_worker_that_starts_without_the_file_judges_without_it(tmp_path: Path) -> None:
    path = tmp_path / "UPDATED.csv"
    watch = watch_over(path)
    assert watch.now().lookups == {}
    assert watch.now().rules is RULES
    assert watch.now().versions == ()
    path.write_text(EXCLUSIONS)
    watch.look()
    assert watch.now().lookups["excluded_providers"].size == 4


def test_rules_change_in_a_running_job(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text(default_rules_text())
    watch = watch_over(path, "rules")
    put(path, default_rules_text().replace('"weight": 0.3', '"weight": 0.45', 1))
    watch.look()
    assert str(watch.now().rules.risk[0].weight) == "0.45"
    put(path, default_rules_text().replace('"claim_amount"', '"claim_amonut"', 1))
    watch.look()
    assert str(watch.now().rules.risk[0].weight) == "0.45"
    assert watch.take_counts() == {"reference_read_rules": 2, "reference_unusable_rules": 1}


def test_rules_on_one_long_line(tmp_path: Path) -> None:
    """It is read in parts, some of which end within a letter."""
    path = tmp_path / "rules.json"
    document = json.loads(default_rules_text())
    document["risk_rules"][0]["description"] = "\N{GREEK SMALL LETTER ALPHA}" * 400_000
    for shift in (0, 1):
        document["risk_rules"][0]["description"] += "x"
        path.write_text("\ufeff" + " " * shift + json.dumps(document, ensure_ascii=False), "utf-8")
        watch = watch_over(path, "rules")
        assert watch.take_counts() == {"reference_read_rules": 1}
        assert watch.now().rules.risk[0].description == document["risk_rules"][0]["description"]


def test_rules_in_another_encoding(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "rules.json"
    path.write_bytes(
        default_rules_text()
        .replace("claim", "cl\N{LATIN SMALL LETTER A WITH GRAVE}im")
        .encode("cp1252")
    )
    watch = watch_over(path, "rules")
    assert watch.take_counts() == {"reference_unusable_rules": 1}
    assert "rules: not UTF-8 text; no version is in use" in caplog.text


def test_parts_of_a_pattern_are_one_list(tmp_path: Path) -> None:
    """CMS publishes its pairs in four files, each with the whole header."""
    *header, last, one, two, three, four, five, six = reference_lists.text("ptp_edits").splitlines(
        keepends=True
    )
    begin = "".join([*header, last])
    for part, pairs in enumerate(([one, two], [three, four, five], [six]), start=1):
        (tmp_path / f"ccipra-f{part}.txt").write_text(begin + "".join(pairs))
    watch = watch_over(tmp_path / "ccipra-f*.txt", "ptp_edits")
    whole = reference_lists.lookups()["ptp_edits"]
    codes = ("10001", "10002", "10003", "A1004", "0001T")
    assert watch.now().lookups["ptp_edits"].among(codes) == whole.among(codes)


def test_a_file_that_is_replaced_all_the_time(leie: Path) -> None:
    """One thread looks; another replaces the file as fast as it can; claims go on being judged."""
    watch = watch_over(leie, minutes=0.0005)
    stop = threading.Event()

    def replace() -> None:
        texts = (with_another(EXCLUSIONS), EXCLUSIONS, HALF_WRITTEN)
        while not stop.is_set():
            for text in texts:
                put(leie, text)

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            assert watch.now().lookups["excluded_providers"].size in (4, 5)
            time.sleep(0.001)
    finally:
        stop.set()
        writer.join()
        watch.stop()
    counts = watch.take_counts()
    assert counts["reference_read_excluded_providers"] > 1
    assert counts["reference_unusable_excluded_providers"] > 1


def test_all_threads_of_a_process_share_one_watch(leie: Path) -> None:
    files = ReferenceFiles((("excluded_providers", str(leie)),), 0)
    watches: list[Watch] = []
    threads = [
        threading.Thread(target=lambda: watches.append(shared(files, RULES, CONTRACT)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, watches))) == 1
    assert watches[0].take_counts() == {"reference_read_excluded_providers": 1}


def test_workers_do_not_look_all_at_once(leie: Path) -> None:
    watch = watch_over(leie, minutes=10)
    pauses = {watch._pause() for _ in range(100)}
    watch.stop()
    assert len(pauses) > 90
    assert all(480 <= pause <= 600 for pause in pauses)
