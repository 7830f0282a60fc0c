"""Which BigQuery a launch talks to, and with which credentials."""

import os

import google.auth
import pytest
from google.auth.exceptions import GoogleAuthError

from pipeline import clients
from pipeline.clients import LOGIN

HOST, CREDENTIALS = "BIGQUERY_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"


@pytest.mark.parametrize("host", ["127.0.0.1:9050", "http://127.0.0.1:9050"])
def test_emulator_is_named_with_or_without_a_scheme(host: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(HOST, host)
    assert clients.is_emulated()
    with clients.bigquery_client("local-project") as client:
        assert client.project == "local-project"
        assert client._connection.API_BASE_URL == "http://127.0.0.1:9050"


@pytest.mark.parametrize("given, made", [(None, True), ("mine.json", False)])
def test_credentials_are_made_up_only_where_there_are_none(
    given: str | None, made: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(HOST, "127.0.0.1:9050")
    monkeypatch.setenv(CREDENTIALS, "none.json")  # so that it is restored
    monkeypatch.delenv(CREDENTIALS)
    if given:
        monkeypatch.setenv(CREDENTIALS, given)
    clients.ensure_credentials()
    assert (os.environ[CREDENTIALS] != given) == made
    if made:
        assert google.auth.default()[0].valid


@pytest.mark.parametrize(
    "error, reason",
    [
        ("('invalid_grant: Bad Request', {'error': 'x'})", f"{clients.EXPIRED}; run: {LOGIN}"),
        ("Reauthentication is needed. Please run ...", f"{clients.EXPIRED}; run: {LOGIN}"),
        ("File none.json was not found.\nMore", "File none.json was not found."),
    ],
)
def test_why_a_client_failed_is_one_line(error: str, reason: str):
    assert clients.reason_of(GoogleAuthError(error)) == reason


@pytest.mark.parametrize("host", ["", None])
def test_nothing_is_made_up_for_the_real_service(host: str | None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(HOST, host or "")
    if host is None:
        monkeypatch.delenv(HOST)
    monkeypatch.delenv(CREDENTIALS, raising=False)
    assert not clients.is_emulated()
    clients.ensure_credentials()
    assert CREDENTIALS not in os.environ
