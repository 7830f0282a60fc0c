"""What goes to a terminal holds no credential, and nothing that a terminal would obey."""

import pytest

from claims_ops.shared.terminal import printable, without_secrets

SECRETS = {
    "bearer": "Invalid header value: b'Bearer ya29.CANARY-x_y\\nCANARY'",
    "basic": "Proxy-Authorization: Basic Q0FOQVJZ=CANARY",
    "token": "token ya29.a0CANARY.x is wrong",
    "jwt": "assertion eyJhbGciOiJ.CANARY.CANARY",
    "url": "cannot parse http://user:CANARY@proxy:8080",
    "key": "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----",
    "cut key": "-----BEGIN RSA PRIVATE KEY-----\nCANARY",
    "json": '{"refresh_token": "1//CANARY", "client_secret": "CANARY"}',
    "form": "access_token=CANARY&x=1",
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_credentials_are_taken_out(text: str):
    shown = without_secrets(text)
    assert "CANARY" not in shown
    assert "[...]" in shown


@pytest.mark.parametrize(
    "text",
    [
        "BigQuery: 404 Not found: Table my-project:claims.claims",
        "https://console.cloud.google.com/x?project=p",
        "projects/p/topics/t is not there; write to claims@example.com",
    ],
)
def test_ordinary_text_stays(text: str):
    assert without_secrets(text) == text


def test_what_a_terminal_would_obey_is_escaped():
    assert printable("a\x1b[2J\u202eé") == "a\\x1b[2J\\u202eé"
