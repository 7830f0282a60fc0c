"""The decisions are numbered without gaps, and the list has each of them."""

from tests.support.docs.pages import ROOT

DECISIONS = ROOT / "docs/decisions"


def test_numbers_have_no_gap_and_stand_in_the_title():
    numbers = []
    for path in sorted(DECISIONS.glob("[0-9]*.md")):
        number = int(path.name[:4])
        assert path.read_text().startswith(f"# {number}. "), path.name
        numbers.append(number)
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_list_has_each_decision_with_its_title():
    rows = [
        f"| [{int(path.name[:4])}]({path.name}) | {title} |"
        for path in sorted(DECISIONS.glob("[0-9]*.md"))
        for title in [path.read_text().partition("\n")[0].partition(". ")[2]]
    ]
    listed = (DECISIONS / "README.md").read_text().splitlines()
    assert [line for line in listed if line.startswith("| [")] == rows
