"""The key of the pseudonyms: where it is read, how it is refused, and where it never is."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline import main
from pipeline.launch import dataflow, options, prepare
from pipeline.launch.options import ParameterError
from pipeline.privacy import pseudonymisation
from pipeline.privacy.pseudonymisation import KeyUnusable, Pseudonymisation, read_key
from pipeline.privacy.pseudonyms import Pseudonyms
from tests.launch.test_launch import arguments, refusal
from tests.support.claims.core import CONTRACT, RULES
from tests.support.secret_manager import SecretManager, secret_manager

KEY = "Key4b1d-wUf3n0b2Rr8Jm6Yq1Xz7Lc5TdGhK"
SECRET = "projects/my-project/secrets/claims-pseudonyms/versions/1"


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretManager]:
    with secret_manager() as service:
        monkeypatch.setenv("SECRET_MANAGER_EMULATOR_HOST", service.address)
        service.versions[SECRET] = KEY.encode()
        yield service


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    return path


def test_secret_and_file_hold_the_same_key(secrets: SecretManager, file: Path):
    assert read_key(SECRET) == read_key(str(file)) == KEY.encode()


def test_process_reads_it_once(secrets: SecretManager):
    name = SECRET.replace("/1", "/7")
    secrets.versions[name] = KEY.encode()
    asked = Pseudonymisation(("patient_id",), name)
    pseudonyms = asked.pseudonyms()
    assert asked.pseudonyms() is pseudonyms
    assert secrets.asked == [name]
    assert pseudonyms.of("patient_id", "1") == Pseudonyms(KEY.encode()).of("patient_id", "1")


def test_launch_reads_it_anew(file: Path):
    for key in (KEY, KEY[::-1]):
        file.write_text(key)
        asked = pseudonymisation.check("patient_id", str(file), CONTRACT, RULES)
        assert asked is not None
        expected = Pseudonyms(key.encode()).of("patient_id", "1")
        assert asked.pseudonyms().of("patient_id", "1") == expected


def test_without_the_parameters_there_is_nothing():
    assert pseudonymisation.check(None, None, CONTRACT, RULES) is None


def test_rules_that_replays_go_without_are_told(file: Path, caplog: pytest.LogCaptureFixture):
    both = "invalid_npi, excluded_provider"
    for names, told in (("patient_id", ""), ("patient_id,billing_npi", both)):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            pseudonymisation.check(names, str(file), CONTRACT, RULES)
        assert caplog.text.endswith(f": {told}\n" if told else "")
        assert bool(caplog.text) == bool(told)


@pytest.mark.parametrize("key, said", [(b"k" * 31 + b"\r\n", "is 31 bytes"), (b"", "is 0 bytes")])
def test_short_key(key: bytes, said: str, file: Path):
    file.write_bytes(key)
    with pytest.raises(KeyUnusable, match=said):
        read_key(str(file))
    file.write_bytes(b"k" * 32)
    assert read_key(str(file)) == b"k" * 32


WRONG = {
    "no secret": (f"{SECRET}1", rf"pseudonym_key: {SECRET}1 cannot be read: 404 .*not found"),
    "denied": (SECRET, rf"pseudonym_key: {SECRET} cannot be read: 403 Permission"),
    "latest": (
        SECRET.replace("/1", "/latest"),
        r"pseudonym_key: .*versions/V with a version number",
    ),
    "no version": (
        SECRET[: -len("/versions/1")],
        r"pseudonym_key: .*versions/V with a version number",
    ),
    "no file": ("/nowhere/key", r"pseudonym_key: the file cannot be read: "),
    "the key itself": (KEY, r"pseudonym_key: looks like the secret itself"),
}


@pytest.mark.parametrize("source, said", WRONG.values(), ids=WRONG)
def test_key_that_cannot_be_read(source: str, said: str, secrets: SecretManager, capsys):
    secrets.denied.add(SECRET)
    line = refusal(capsys, arguments(pseudonymise="patient_id", pseudonym_key=source))
    assert line.startswith("claims: ")
    assert re.match(rf"claims: {said}", line)
    assert KEY not in line


def test_unreachable_secret_manager(monkeypatch: pytest.MonkeyPatch, capsys):
    with secret_manager() as service:
        monkeypatch.setenv("SECRET_MANAGER_EMULATOR_HOST", service.address)
    line = refusal(capsys, arguments(pseudonymise="patient_id", pseudonym_key=SECRET))
    assert re.match(rf"claims: pseudonym_key: {SECRET} cannot be read: ", line)


def test_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    line = refusal(capsys, arguments(pseudonymise="patient_id", pseudonym_key=SECRET))
    assert re.match(rf"claims: pseudonym_key: {SECRET} cannot be read: .*none.json", line)


@pytest.mark.parametrize(
    "given, said",
    [
        ({"pseudonymise": "patient_id"}, "pseudonym_key: is required with pseudonymise"),
        ({"pseudonym_key": SECRET}, "pseudonymise: is required with pseudonym_key"),
        (
            {"pseudonymise": "patient_id,member_id", "pseudonym_key": SECRET},
            "pseudonymise: member_id: is not a field of the claim schema",
        ),
        (
            {"pseudonymise": "claim_amount", "pseudonym_key": SECRET},
            "pseudonymise: claim_amount: cannot hold a pseudonym, because its column is not a"
            " STRING",
        ),
    ],
)
@pytest.mark.usefixtures("secrets")
def test_wrong_fields(given: dict[str, str], said: str, capsys):
    assert refusal(capsys, arguments(**given)).startswith(f"claims: {said}")


@pytest.mark.parametrize(
    "key", ["a2V5LW9mLTMyLWJ5dGVz" * 2, "0f" * 32, "aKeyOfLettersOnlyWhichIsLong"]
)
@pytest.mark.parametrize("given", ["{key}", "patient_id,{key}"])
@pytest.mark.usefixtures("secrets")
def test_key_in_the_place_of_the_fields_is_not_shown(key: str, given: str, capsys):
    swapped = arguments(pseudonymise=given.format(key=key), pseudonym_key=SECRET)
    line = refusal(capsys, swapped)
    assert line.startswith("claims: pseudonymise: ")
    assert key not in line


def test_local_file_on_dataflow(file: Path):
    given = ["--runner=DataflowRunner", f"--pseudonym_key={file}"]
    with pytest.raises(ParameterError, match="^pseudonym_key: must name a secret version or"):
        dataflow.prepare(PipelineOptions(given), "0")


@pytest.mark.parametrize("source", [SECRET, "gs://my-bucket/key"])
def test_other_sources_on_dataflow(source: str):
    given = ["--runner=DataflowRunner", f"--pseudonym_key={source}"]
    with pytest.raises(ParameterError, match="^temp_location"):  # the next thing that is wrong
        dataflow.prepare(PipelineOptions(given), "0")


@pytest.mark.usefixtures("secrets")
def test_key_is_not_in_the_job():
    given = PipelineOptions(arguments(pseudonymise="patient_id", pseudonym_key=SECRET))
    asked = options.check(given)
    assembled = prepare.pipeline(asked, prepare.settings(asked), given)
    proto = assembled.to_runner_api()
    everything = (
        proto.SerializeToString() + json.dumps(given.get_all_options(), default=str).encode()
    )
    assert SECRET.encode() in everything
    assert KEY.encode() not in everything
    assert KEY.encode().hex().encode() not in everything


def test_worker_without_the_key_says_so_without_it(secrets: SecretManager):
    secrets.denied.add(SECRET.replace("/1", "/8"))
    with pytest.raises(KeyUnusable, match="versions/8 cannot be read: 403"):
        Pseudonymisation(("patient_id",), SECRET.replace("/1", "/8")).pseudonyms()


def test_wrong_key_ends_the_program_with_a_usage_error(file: Path, capsys):
    file.write_text("short")
    assert main.main(arguments(pseudonymise="patient_id", pseudonym_key=str(file))) == 2
    assert "the key is 5 bytes long, but must be at least 32" in capsys.readouterr().err
