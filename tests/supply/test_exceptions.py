"""Security rules of ruff hold for all of our code; each exception says why."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipeline", "claims_ops", "sandbox", "workshop")
SOURCES = sorted(path for name in PACKAGES for path in ROOT.glob(f"{name}/**/*.py"))


def test_every_exception_has_a_reason():
    unexplained = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"#\s*(?:noqa|nosec|ruff:)", line)
        and not re.search(r"# noqa: [A-Z]+\d+ - \w", line)
    ]
    assert unexplained == []
    assert len(SOURCES) > 50


def test_security_rules_are_on_for_the_whole_package():
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]
    assert "S" in ruff["lint"]["select"]
    assert not ruff["lint"].get("ignore") and not ruff.get("exclude")
    excepted = {
        pattern: {rule for rule in rules if rule.startswith("S")}
        for pattern, rules in ruff["lint"]["per-file-ignores"].items()
        if not pattern.startswith("{tests")
    }
    assert excepted == {"{claims_ops,sandbox}/**": {"S603"}}
