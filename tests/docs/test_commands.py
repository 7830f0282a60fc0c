"""Each command of README and docs is one that its program takes, as it stands there."""

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from claims_ops.main import main
from pipeline.claims.contract import Contract
from pipeline.claims.documents import check_rules
from tests.support.docs.judges import complaint
from tests.support.docs.pages import ROOT, Block, pages
from tests.support.docs.shell import NoShell, Shell, parsed
from tests.support.google.gcloud import Gcloud, unknown_to_gcloud
from tests.support.terraform import MODULE, Evaluated

PROSE = {"text", "mermaid"}
"""Languages of blocks that nobody runs: output, and pictures."""
MARKED = ("claims ", "make ", "gcloud ", "python -m ", "./deploy.sh ", "./build_template.sh ")
"""What begins so within a sentence is a command, perhaps without what it requires."""


def blocks() -> Iterator[Block]:
    for page in pages():
        yield from page.blocks()


@cache
def shells() -> list[tuple[str, Shell]]:
    """Place and content of each block of commands."""
    found = []
    for block in blocks():
        if not block.language:
            try:
                found.append((block.place, parsed(block.text)))
            except NoShell as error:
                pytest.fail(f"{block.place} {error}")
    return found


def commands() -> list[tuple[str, list[str]]]:
    """Place and words of each command in a block."""
    return [(place, words) for place, shell in shells() for words in shell.commands]


def commands_in_text() -> list[tuple[str, list[str]]]:
    """Place and words of each command in a sentence."""
    return [
        (place, shlex.split(text))
        for page in pages()
        for place, text in page.code_in_text()
        if text.startswith(MARKED)
    ]


@pytest.fixture
def reader(checkout: Path) -> Path:
    """Where a reader is who did all that the docs say: what its commands write is there."""
    for name in ("FILE", *(name for _, shell in shells() for name in shell.written)):
        (checkout / name).touch()
    return checkout


def wrong(of: Iterable[tuple[str, list[str]]]) -> list[str]:
    """Each command that its program would refuse: where it stands, why."""
    judged = [(place, words, complaint(words)) for place, words in of]
    return [f"{place}: {shlex.join(words)}: {why}" for place, words, why in judged if why]


@pytest.mark.usefixtures("reader")
def test_each_command_is_one_that_its_program_takes():
    found = commands()
    assert {"claims", "make", "gcloud", "./deploy.sh", "python"} <= {words[0] for _, words in found}
    assert wrong(found) == []


@pytest.mark.usefixtures("reader")
def test_each_command_in_a_sentence_is_one_that_its_program_takes():
    lacking = ("Missing ", "output_table: is required", "COMMAND [ARGS]")  # a group by its name
    assert [each for each in wrong(commands_in_text()) if not any(map(each.count, lacking))] == []


def test_each_command_of_gcloud_is_one_that_gcloud_takes(tmp_path: Path):
    mentioned = [(f"{place}, in a sentence", words) for place, words in commands_in_text()]
    told = unknown_to_gcloud(Gcloud(tmp_path), [*mentioned, *commands()])
    lacking = r"in a sentence: .*(Must be specified|argument expected|expected one argument)"
    assert [each for each in told if not re.search(lacking, each)] == []


def test_each_use_of_the_build_script_is_one_that_it_takes(tmp_path: Path):
    uses = [words for _, words in commands() if words[0] == "./build_template.sh"]
    assert uses
    for words in uses:
        script = [str(ROOT / words[0]), *words[1:]]
        Gcloud(tmp_path).run(*script, "--dry-run", PROJECT="my-project", TAG="v1")


def test_each_block_says_what_it_is():
    known = {"", "sql", "json", "hcl"} | PROSE
    assert [each.place for each in blocks() if each.language not in known] == []


def test_terraform_in_the_docs_is_right(tmp_path: Path):
    texts = [each.text for each in blocks() if each.language == "hcl"]
    modules = 0
    for text in texts:
        (tmp_path / "main.tf").write_text(text)
        calls = Evaluated(tmp_path, {}, tmp_path).blocks.get("module", [])
        modules += len(calls)
        for call in calls:
            given = {name: call[name] for name in call if name not in ("__tfmeta", "id", "source")}
            module = Evaluated(MODULE, given, tmp_path)
            assert given.keys() <= module.variables.keys()
            assert module.refused == {}
    assert modules


def test_documents_in_the_docs_are_right():
    documents = [json.loads(each.text) for each in blocks() if each.language == "json"]
    rules = [each for each in documents if "risk_rules" in each]
    assert rules
    for each in rules:
        check_rules(json.dumps(each), Contract.default())


@pytest.mark.parametrize(
    "text, told",
    [
        ("claims frobnicate", "claims has no command frobnicate"),
        ("claims --no-such", "No such option '--no-such'"),
        ("claims demo --rulez my_rules.json", "No such option '--rulez'"),
        ("claims demo --rules no_such.json", "'no_such.json' does not exist"),
        ("claims demo --claims many", "'many' is not a valid integer"),
        ("claims demo -- --no_such=1", "no_such: is not a parameter"),
        ("claims demo -- --high_risk_treshold=1", "did you mean --high_risk_threshold?"),
        ("claims demo -- --high_risk_threshold=2", "high_risk_threshold: '2' is not valid"),
        ("claims replay --dry-run", "Missing option '--error-table'"),
        ("X=$(claims replay --dry-run)", "Missing option '--error-table'"),
        ("for x in 1 2; do claims demo | claims replay; done", "Missing option '--error-table'"),
        ("./deploy.sh --projekt my-project", "No such option '--projekt'"),
        (
            "./deploy.sh --parameter rulez=a.json",
            "rulez is not a launch parameter; did you mean rules",
        ),
        ("./deploy.sh --direct --image i -- --no_such=1", "no_such: is not a parameter"),
        ("./deploy.sh --update --drain", "cannot be combined"),
        ("make demonstration", "the Makefile has no target demonstration"),
        ("make demo DEMO_CLAIM=5", "the Makefile reads no DEMO_CLAIM"),
        ("CI=true make test ARGS=tests/no_such.py", "tests/no_such.py does not exist"),
        (".ci/with-docker make tset", "the Makefile has no target tset"),
        ("python -m pipeline.main --input_file=a.ndjson", "did you mean --input_files?"),
        ("python -m pipeline.mian", "no test knows this use of python"),
        ("sed 's/no such text/x/' sql/latency.sql", "it replaces nothing"),
        ("sed 's/a/b/' sql/no_such.sql", "no file sql/no_such.sql"),
        ("bq mk --dataset claims", "no test knows this use"),
        ('eval "claims frobnicate"', "no test knows this use"),
        ("frobnicate --now", "no test knows the program frobnicate"),
    ],
)
@pytest.mark.usefixtures("reader")
def test_a_wrong_command_is_told(text: str, told: str):
    [mistake] = wrong(("here", words) for words in parsed(text).commands)
    assert told in mistake


@pytest.mark.parametrize(
    "judged, name", [(["claims", "replay"], "replay"), (["./deploy.sh", "--drain"], "deploy")]
)
def test_a_command_that_was_judged_is_as_before(judged: list[str], name: str):
    complaint(judged)
    assert main([name, "-h"]) == 0


def test_a_wrong_command_of_gcloud_is_told(tmp_path: Path):
    mistakes = {
        "gcloud dataflow jobs dran $JOB": "Invalid choice: 'dran'",
        "gcloud dataflow jobs drain $JOB --regoin $REGION": "unrecognized arguments: --regoin",
        "gcloud dataflow flex-template run claims": "argument --template-file-gcs-location",
    }
    asked = [("here", words) for text in mistakes for words in parsed(text).commands]
    told = unknown_to_gcloud(Gcloud(tmp_path), asked)
    assert all(map(str.__contains__, told, mistakes.values()))
    assert len(told) == len(mistakes)


@pytest.mark.parametrize("text", ["claims replay 'a", "12 s  published (2,000)", "a <- b <- c |"])
def test_what_is_no_shell_is_told(text: str):
    with pytest.raises(NoShell):
        parsed(text)


def test_words_are_those_of_bash():
    text = """\
X=1 claims a "$PROJECT.claims" '${B}' "c \\
d" a-b@$REGION.x \\
  --x=$(pwd) | bq query  # c
for f in *; do
  make "it's"
done > out.txt
"""
    found = parsed(text)
    assert found.commands == [
        ["claims", "a", "my-project.claims", "${B}", "c d", "a-b@us-central1.x", "--x=value"],
        ["pwd"],
        ["bq", "query"],
        ["make", "it's"],
    ]
    assert found.written == ["out.txt"]
