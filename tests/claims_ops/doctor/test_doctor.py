"""`claims doctor` where no service has to answer: who we are, what waits, when it gives up."""

import json
import re
import threading
import time
from pathlib import Path

import pytest
from google.auth.exceptions import RefreshError
from google.cloud import monitoring_v3

from claims_ops.doctor import backlog
from claims_ops.doctor.checkup import SERVICES
from claims_ops.doctor.examination import examine
from claims_ops.doctor.finding import Check, Once, Status, Unknown, failed, passed
from claims_ops.doctor.network import cpus
from claims_ops.main import main

ROOT = Path(__file__).parents[3]
GOOGLE = json.loads((ROOT / "tests/cases/monitoring/google_metrics.json").read_text())
ALERT = json.loads((ROOT / "monitoring/alerts/oldest_unacked.json").read_text())
SUBSCRIPTION = "projects/my-project/subscriptions/claims"


def test_every_check_is_documented():
    rows = re.findall(r"^\| (`.+?) \|", (ROOT / "docs/operate/doctor.md").read_text(), re.M)
    assert sorted(re.findall(r"`(.+?)`", " ".join(rows))) == sorted(SERVICES)


@pytest.mark.parametrize(
    "machine_type, number",
    [
        ("n2-standard-8", 8),
        ("n2-custom-6-20480", 6),
        ("custom-6-20480", 6),
        ("n2-custom-6-65536-ext", 6),
        ("c3-standard-8-lssd", 8),
        ("e2-medium", 4),
        (None, 4),
    ],
)
def test_cpus_of_a_machine_type(machine_type: str | None, number: int):
    """Of a custom type, the memory counted: 20,480 CPUs a worker, which no quota has."""
    assert cpus(machine_type) == number


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither an emulator, nor gcloud, nor anybody logged in."""
    for name in ("PUBSUB_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("PATH", "")


def doctor(
    capsys: pytest.CaptureFixture[str], *checks: str
) -> tuple[int, dict[str, dict[str, str]]]:
    said = [f"--check={name}" for name in checks]
    code = main(["doctor", "--project=my-project", "--json", "--timeout=15", *said])
    return code, {check["check"]: check for check in json.loads(capsys.readouterr().out)["checks"]}


def test_nobody_is_logged_in(alone: None, capsys: pytest.CaptureFixture[str]):
    """The cause is named once, and no check that needs a login is run."""
    code = main(["doctor", "--project=my-project"])
    failure, fix, end = capsys.readouterr().out.splitlines()
    assert code == 1
    assert failure.split(maxsplit=2) == ["fail", "credentials", "your login: not logged in"]
    assert fix.strip() == "$ gcloud auth application-default login"
    assert re.fullmatch(
        r"0 pass, 1 fail, 0 unknown; \d\d checks were not run, because you are not logged in", end
    )


def test_one_cause_of_many_unknowns_is_shown_once(alone: None, capsys):
    wanted = ("bucket", "subscription", "table", "account", "region")
    code = main(["doctor", "--project=my-project", *(f"--check={name}" for name in wanted)])
    lines = [each for each in capsys.readouterr().out.splitlines() if not each.startswith(" ")]
    assert code == 0
    assert [line.split()[:2] for line in lines[:-1]] == [
        ["unknown", "bucket"],  # not logged in
        ["unknown", "account"],  # gcloud is missing
    ]
    assert lines[-1] == "0 pass, 0 fail, 6 unknown (4 with a cause already shown above)"
    code, checks = doctor(capsys, *wanted)
    assert (code, {each["status"] for each in checks.values()}) == (0, {"unknown"})
    assert len(checks) == len(wanted)


def test_login_that_has_expired(alone: None, monkeypatch, tmp_path: Path, capsys):
    def expired(self: object, request: object) -> None:
        raise RefreshError("invalid_grant")

    key = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "t"}
    (tmp_path / "key.json").write_text(json.dumps(key))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    monkeypatch.setattr("google.oauth2.credentials.Credentials.refresh", expired)
    code, checks = doctor(capsys, "credentials")
    assert (code, checks["credentials"]["status"]) == (1, "fail")
    assert "expired" in checks["credentials"]["message"]


def test_login_of_gcloud_serves_too(alone: None, monkeypatch, tmp_path: Path, capsys):
    gcloud = tmp_path / "gcloud"
    gcloud.write_text("#!/bin/sh\necho made-up-token\n")
    gcloud.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    code, checks = doctor(capsys, "credentials")
    assert (code, checks["credentials"]["status"]) == (0, "pass")
    assert "claims replay" in checks["credentials"]["message"]


def test_no_token_of_gcloud_is_printed(alone: None, monkeypatch, tmp_path: Path, capsys):
    gcloud = tmp_path / "gcloud"
    gcloud.write_text("#!/bin/sh\necho ya29.CANARY-token\necho CANARY: a new version is there\n")
    gcloud.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    arguments = ["doctor", "--project=my-project", "--check=bucket", "--check=subscription"]
    main([*arguments, "--timeout=3", "--json"])
    shown = capsys.readouterr()
    assert "CANARY" not in shown.out + shown.err


def series(value: int) -> list[monitoring_v3.TimeSeries]:
    points = [{"value": {"int64_value": each}} for each in (value, 1_000_000)]
    return [monitoring_v3.TimeSeries(points=points)]


def test_backlog_is_the_newest_point():
    assert backlog.latest(series(7), "num_undelivered_messages") == 7
    with pytest.raises(Unknown, match="no recent data for num_undelivered_messages"):
        backlog.latest([], "num_undelivered_messages")


def test_backlog_is_asked_as_google_names_it():
    for metric in backlog.METRICS:
        asked = backlog.request(SUBSCRIPTION, metric, now=1_000)
        assert asked.name == "projects/my-project"
        assert f'"pubsub.googleapis.com/subscription/{metric}"' in asked.filter
        assert 'subscription_id = "claims"' in asked.filter
        assert (asked.interval.end_time.timestamp() - asked.interval.start_time.timestamp()) == 600
        known = GOOGLE["metrics"][f"pubsub.googleapis.com/subscription/{metric}"]
        assert (known["value_type"], known["resource"]) == ("INT64", "pubsub_subscription")


@pytest.mark.parametrize(
    "age_seconds, job, status, message",
    [
        (600, {"id": "j"}, Status.PASS, "5 messages waiting, the oldest for 600 s"),
        (601, {"id": "j"}, Status.FAIL, "601 s"),
        (601, None, Status.PASS, "no job is reading them yet"),
    ],
)
def test_backlog_that_a_job_does_not_master(age_seconds, job, status, message):
    verdict = backlog.judged(5, age_seconds, Once(lambda: job), lambda job_id: f"more for {job_id}")
    assert verdict.status is status
    assert message in verdict.message
    assert verdict.run == ("more for j" if status is Status.FAIL else None)


def test_backlog_is_as_old_as_the_alert_has_it():
    (condition,) = ALERT["conditions"]
    query = condition["conditionPrometheusQueryLanguage"]["query"]
    assert query.endswith(f" > {backlog.OLD_SECONDS}")


def test_what_hangs_or_breaks_is_unknown():
    hang = threading.Event()
    asked = {
        "hangs": lambda: hang.wait(60),
        "breaks": lambda: 1 / 0,
        "says nothing": lambda: (_ for _ in ()).throw(ValueError),
        "passes": lambda: passed("well"),
        "fails": lambda: failed("ill", "fix it"),
    }
    began = time.monotonic()
    checks = [Check(name, "", ask, "by hand") for name, ask in asked.items()]
    found = {finding.check.name: finding.verdict for finding in examine(checks, seconds=0.3)}
    hang.set()
    assert time.monotonic() - began < 5
    assert list(found) == list(asked)
    assert found["hangs"] == (Status.UNKNOWN, "no response within 0.3 s", "by hand")
    assert found["breaks"] == (Status.UNKNOWN, "division by zero", "by hand")
    assert found["says nothing"] == (Status.UNKNOWN, "ValueError", "by hand")
    assert (found["passes"], found["fails"]) == (passed("well"), failed("ill", "fix it"))


def test_a_question_is_asked_once():
    asked = []

    def ask() -> int:
        asked.append(1)
        raise ValueError("no")

    once = Once(ask)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            once()
    assert len(asked) == 1


@pytest.mark.parametrize("said", [["--timeout=0"], ["--check=health"], ["--name=X"], ["more"]])
def test_wrong_argument_is_one_line(said: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(["doctor", "--project=my-project", *said]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
