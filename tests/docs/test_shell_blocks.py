"""Each block of commands can be pasted into bash and zsh, and has the variables that it uses."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docs.pages import Page, pages
from tests.support.docs.shell import snags, variables
from tests.support.google.readme import commands

LAUNCH = "README.md#launch"
STATED = variables(commands("README.md", "Launch")[0])[0]
"""What the README exports: pages that use it refer there."""
PRINTED = {"PUBSUB_EMULATOR_HOST"}
"""What `claims demo --keep` prints, to be pasted into another terminal."""


def lacking(page: Page) -> Iterator[str]:
    """Uses of variables that a reader of the page was not given."""
    links = [
        (int(place.rpartition(":")[2]), (page.path.parent / target).resolve())
        for place, target in page.links()
        if "://" not in target
    ]
    launch = (page.root / LAUNCH).resolve()
    given: set[str] = set()
    for block in page.blocks():
        if block.language:
            continue
        line = int(block.place.rpartition(":")[2])
        if any(place < line and target == launch for place, target in links):
            given |= STATED
        its, used = variables(block.text)
        yield from (f"{block.place}: ${name}" for name in sorted(used - given))
        given |= its
        if "claims demo --keep" in block.text:
            given |= PRINTED


def test_each_block_can_be_pasted():
    blocks = [block for page in pages() for block in page.blocks() if not block.language]
    assert blocks
    assert [f"{each.place}: {why}" for each in blocks for why in snags(each.text)] == []


def test_the_readme_states_the_variables():
    assert STATED == {"PROJECT", "REGION", "BUCKET"}


def test_each_variable_is_set_before_it_is_used():
    assert [each for page in pages() for each in lacking(page)] == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("make demo  # everything", "a comment"),
        ("# first\nmake demo", "a comment"),
        ("claims check *.json", "*: zsh refuses an unquoted pattern"),
        ("./deploy.sh --parameter input_files=gs://$BUCKET/2026-*.gz", "unquoted pattern"),
        ("claims check a?.json", "?: zsh refuses"),
        ("claims check [ab].json", "zsh refuses"),
        ("claims replay --error-table <table>", "<table>: <...> is a redirection"),
        ("bq show =x", "zsh looks for a program"),
        ("bq show $PROJECT:claims", "$PROJECT:: zsh takes what follows"),
        ('bq show "$PROJECT:claims"', "$PROJECT:: zsh takes what follows"),
        ('echo "done!"', "history"),
    ],
)
def test_what_cannot_be_pasted_is_told(text: str, told: str):
    assert any(told in each for each in snags(text))


@pytest.mark.parametrize(
    "text",
    [
        "claims check '*.json' \"[a]?\" --show 1",
        "for each in a b; do [ $each = a ] || echo '!'; done > out.txt",
        "openssl rand 32 | bq show ${PROJECT}:claims.$NAME/x < in.txt",
        "sed 's/${CLAIMS}/x/' a.sql",
    ],
)
def test_what_can_be_pasted_is_right(text: str):
    assert snags(text) == []


def test_a_variable_that_nobody_sets_is_told(tmp_path: Path):
    path = tmp_path / "docs" / "page.md"
    path.parent.mkdir()
    text = "# P\n\n    JOB=$(gcloud $PROJECT)\n\nSee [the README](../README.md#launch).\n\n"
    path.write_text(f"{text}    gcloud $JOB $PROJECT '$ANY' $OTHER\n")
    assert list(lacking(Page(tmp_path, path))) == [
        "docs/page.md:3: $PROJECT",
        "docs/page.md:7: $OTHER",
    ]
