"""Which endpoint is spoken to, and how: TLS with credentials, but for loopback and emulators."""

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.auth.credentials import AnonymousCredentials

from pipeline.clients import write_credentials
from pipeline.sinks.bigquery.append.channel import (
    EMULATOR_VARIABLE,
    SERVICE,
    _credentials,
    endpoint_in_use,
    open_channel,
)
from tests.support.bigquery.appending import COLUMNS, STREAM
from tests.support.bigquery.fault_server import FaultServer

TLS, PLAINTEXT = b"\x16\x03", b"PRI * HTTP/2.0"


@pytest.mark.parametrize(
    "endpoint, emulator, expected",
    [
        (None, "", SERVICE),
        (None, "bigquery:9060", "http://bigquery:9060"),
        (None, "http://bigquery:9060", "http://bigquery:9060"),
        ("127.0.0.1:9060", "", "http://127.0.0.1:9060"),
        ("127.8.0.1:9060", "", "http://127.8.0.1:9060"),
        ("localhost:9060", "bigquery:9060", "http://localhost:9060"),
        ("LOCALHOST:9060", "", "http://LOCALHOST:9060"),
        ("https://localhost:9060", "", "https://localhost:9060"),
        ("bigquery:9060", "bigquery:9060", "https://bigquery:9060"),
        ("localhost.example.com:80", "", "https://localhost.example.com:80"),
        ("10.0.0.5:443", "", "https://10.0.0.5:443"),
        ("https://private.p.googleapis.com", "", "https://private.p.googleapis.com"),
    ],
)
def test_plaintext_is_for_loopback_and_for_the_emulator_of_the_environment(
    endpoint: str | None, emulator: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(EMULATOR_VARIABLE, emulator)
    assert endpoint_in_use(endpoint) == expected
    assert endpoint_in_use(endpoint_in_use(endpoint)) == expected


@pytest.mark.parametrize(
    "host, spoken",
    [
        ("127.0.0.1", PLAINTEXT),
        ("localhost", PLAINTEXT),
        ("0.0.0.0", TLS),
        ("https://127.0.0.1", TLS),
    ],
)
def test_what_is_spoken(
    host: str, spoken: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.0.0.0 leads here too, and is no loopback address."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(write_credentials(tmp_path)))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "0.0.0.0,127.0.0.1" if spoken is TLS else "")
    with socket.create_server(("0.0.0.0", 0)) as listener:
        port = listener.getsockname()[1]
        with open_channel(endpoint_in_use(f"{host}:{port}")) as channel:
            call = channel.unary_unary("/a/b").future(b"")  # connects
            listener.settimeout(10)
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(len(spoken), socket.MSG_WAITALL) == spoken
            call.cancel()


def test_any_host_gets_the_token_of_the_worker_over_tls(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(alternative, critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "roots.pem").write_bytes(certificate)
    tls = grpc.ssl_server_credentials([(private, certificate)])
    environment = {
        **os.environ,
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(tmp_path / "roots.pem"),
        "GOOGLE_APPLICATION_CREDENTIALS": str(write_credentials(tmp_path)),
        "no_proxy": "127.0.0.1",
    }
    look_up = (  # in a process of its own, as gRPC reads its roots once
        "import sys\n"
        "from pipeline.sinks.bigquery.append.channel import endpoint_in_use, open_channel\n"
        "from pipeline.sinks.bigquery.append.schema_fit import table_fields\n"
        "channel = open_channel(endpoint_in_use(sys.argv[1]))\n"
        "print(len(table_fields(channel, sys.argv[2])))\n"
    )
    with FaultServer(tls=tls) as server:
        server.create(STREAM, COLUMNS)
        command = [sys.executable, "-c", look_up, f"https://{server.address}", STREAM]
        found = subprocess.run(
            command, env=environment, check=True, timeout=60, capture_output=True, text=True
        )
    assert int(found.stdout) == len(COLUMNS)
    assert server.headers[0]["authorization"] == "Bearer local"


def test_the_account_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A metadata server that does not answer just then must not fail what opens another channel."""
    answers = iter([(AnonymousCredentials(), None)])
    monkeypatch.setattr("google.auth.default", lambda **_: next(answers))
    _credentials.cache_clear()
    try:
        for _ in range(2):
            open_channel("https://127.0.0.1:1").close()
    finally:
        _credentials.cache_clear()
