"""Pseudonyms: what stands for the value of a named field, the same for equal values in every job.

A pseudonym is `psn_`, then HMAC-SHA-256 of `field:value` under the key, then a check that only the
holder of the key can make. So a pseudonym that comes back with a replay is known for what it is and
kept, while a value that merely looks like one is not let through.
"""

import hmac
from base64 import urlsafe_b64encode
from typing import NoReturn

from pipeline.claims.memory import Memory

PREFIX = "psn_"
_BODY_LENGTH = 43
"""Characters of 256 bits as base64url without padding."""
_CHECK_BYTES = 8
_CHECK_LENGTH = 11
"""Characters of these bytes in the same form."""
PSEUDONYM_LENGTH = len(PREFIX) + _BODY_LENGTH + _CHECK_LENGTH
"""Characters of a pseudonym: letters, digits, `-` and `_`."""
MIN_KEY_BYTES = 32
"""As long as the hash; a shorter key could be guessed sooner than it."""
_REMEMBERED, _SMALL = 16_384, 128
"""Values whose pseudonyms are kept in memory, and the characters of the longest."""


class Pseudonyms:
    """Makes and recognises the pseudonyms of one key. Not picklable: it holds the key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._remembered = Memory(self._of, _REMEMBERED, lambda key, _: len(key[1]) <= _SMALL)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key must not be pickled")

    def of(self, field: str, text: str) -> str:
        """The pseudonym of a text; one of this field and key stays itself."""
        return self._remembered[field, text]

    def is_own(self, field: str, text: str | None) -> bool:
        """Whether a text is a pseudonym of this field and key."""
        if text is None or not _has_form(text):
            return False
        body = text[len(PREFIX) : len(PREFIX) + _BODY_LENGTH]
        return hmac.compare_digest(self._checked(field, body).encode(), text.encode())

    def is_foreign(self, field: str, text: str) -> bool:
        """Whether a text has the form of a pseudonym and is none of this field and key."""
        return _has_form(text) and not self.is_own(field, text)

    def _of(self, field_and_text: tuple[str, str]) -> str:
        field, text = field_and_text
        if self.is_own(field, text):
            return text
        return self._checked(field, _encoded(self._mac(f"{field}:{text}")))

    def _checked(self, field: str, body: str) -> str:
        # No field begins with `#`: what makes a check never makes a body.
        return PREFIX + body + _encoded(self._mac(f"#{field}:{body}")[:_CHECK_BYTES])

    def _mac(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode(), "sha256")


def _has_form(text: str) -> bool:
    return len(text) == PSEUDONYM_LENGTH and text.startswith(PREFIX)


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
