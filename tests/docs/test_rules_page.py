"""docs/start/rules.md, done as it says: a weight is changed, and the demo shows what that does."""

import re
import subprocess
import sys
from pathlib import Path

from tests.sandbox.demo.test_demo import needs_pubsub
from tests.support.docs.pages import ROOT, Page

CHANGE, _BACKTEST, TRY, *_ = (
    block.text for block in Page(ROOT, ROOT / "docs/start/rules.md").blocks() if not block.language
)


@needs_pubsub
def test_a_changed_weight_shows_in_the_demo(checkout: Path):
    subprocess.run(["bash", "-euc", CHANGE], check=True, timeout=30)
    assert (checkout / "my_rules.json").exists()
    name, *words = TRY.split()
    assert (name, words[:1]) == ("claims", ["demo"])
    ended = subprocess.run(
        [sys.executable, "-m", "claims_ops.main", *words, "--claims", "200"],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    risky = ended.stdout.partition("High-risk claims")[2].partition("Messages rejected")[0]
    reasons = r"(?:\n +risk reasons:)? +high_amount(?:, infant_high_amount)?$"
    scores = re.findall(rf" (\S+){reasons}", risky, re.M)
    assert scores
    assert {*scores} <= {"0.6", "1"}  # with the weights of the package, 0.3 and 0.7
    assert "200 = 190 claims + 10 errors, as expected" in ended.stdout
