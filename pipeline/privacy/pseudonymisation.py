"""What a launch says of pseudonyms, and the key: read where it is needed, and never passed on."""

import logging
import re
from dataclasses import dataclass
from threading import Lock

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.api_core.retry import Retry
from google.auth.exceptions import GoogleAuthError

from pipeline import clients
from pipeline.claims.contract import Contract
from pipeline.claims.rules import Rules
from pipeline.privacy.basis import rules_into
from pipeline.privacy.named_fields import check_names
from pipeline.privacy.pseudonyms import MIN_KEY_BYTES, Pseudonyms

SECRET = re.compile(r"projects/[^/\s]+/secrets/[A-Za-z0-9_-]{1,255}/versions/[0-9]+")
_RETRY = Retry(initial=0.2, maximum=2.0, timeout=8.0)  # seconds

_log = logging.getLogger(__name__)
_lock = Lock()
_known: dict[str, Pseudonyms] = {}


class KeyUnusable(Exception):
    """The key cannot be used: why, in one line without a byte of it."""


def read_key(source: str) -> bytes:
    """The key that a secret version or file holds, without the line break at its end.

    Raises:
        KeyUnusable: it cannot be read, or is too short.
    """
    key = (_of_secret if source.startswith("projects/") else _of_file)(source).rstrip(b"\r\n")
    if len(key) < MIN_KEY_BYTES:
        raise KeyUnusable(f"the key is {len(key)} bytes long, but must be at least {MIN_KEY_BYTES}")
    return key


def _of_secret(name: str) -> bytes:
    if not SECRET.fullmatch(name):
        raise KeyUnusable(
            "a secret must be projects/P/secrets/S/versions/V with a version number, so that all"
            " workers use the same key"
        )
    try:
        with clients.secret_manager_client() as client:
            answer = client.access_secret_version(name=name, timeout=5, retry=_RETRY)
    except GoogleAPICallError as error:
        raise KeyUnusable(f"{name} cannot be read: {error.code} {error.message}") from None
    except (GoogleAuthError, RetryError) as error:
        raise KeyUnusable(f"{name} cannot be read: {clients.reason_of(error)}") from None
    return bytes(answer.payload.data)


def _of_file(path: str) -> bytes:
    try:
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            return bytes(file.read())
    except Exception as error:  # each file system has its own
        # Without the path: somebody might have put the key itself there.
        raise KeyUnusable(f"the file cannot be read: {type(error).__name__}") from None


@dataclass(frozen=True)
class Pseudonymisation:
    """Which fields are replaced, and where the key is. Pickled with the graph: without the key."""

    names: tuple[str, ...]
    key: str
    """A secret version, or a file."""

    def pseudonyms(self) -> Pseudonyms:
        """The pseudonyms of the key, which this process reads once; raises as `read_key`."""
        with _lock:
            if self.key not in _known:
                _known[self.key] = Pseudonyms(read_key(self.key))
            return _known[self.key]


def check(
    names: str | None, key: str | None, contract: Contract, rules: Rules
) -> Pseudonymisation | None:
    """What the two parameters ask for; None for nothing.

    Raises:
        DocumentError: a field cannot hold a pseudonym.
        KeyUnusable: the key cannot be read, or is too short.
    """
    if names is None or key is None:
        return None
    checked = Pseudonymisation(check_names(names, contract), key)
    key_now = read_key(key)
    with _lock:
        _known[key] = Pseudonyms(key_now)
    unfit = rules_into(rules, checked.names)
    if unfit:
        _log.info(
            "rules not applied to replayed messages, which hold pseudonyms: %s", ", ".join(unfit)
        )
    return checked
