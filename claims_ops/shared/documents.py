"""Documents that a command is given as files: rules, schemas, maps, checked as at a launch."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from pipeline.claims.contract import Contract, default_contract_text
from pipeline.claims.document_text import MAX_BYTES, DocumentError
from pipeline.claims.documents import check_contract, check_rules
from pipeline.claims.mapping.claim_map import PACKAGED_MAPS, ClaimMap
from pipeline.claims.rules import Rules, default_rules_text
from pipeline.claims.tables import CLAIM_OUTCOME
from pipeline.launch.nearest import meant

_Made = TypeVar("_Made")
_PATH = re.compile(r"[./\\]")
"""In what can only be meant as a file: no packaged map has these."""


def checked(path: str | None, default: str, make: Callable[[str], _Made]) -> _Made:
    """What a document makes; `default` is its text where there is no file.

    Raises:
        click.UsageError: names the file, the place in it and what is wrong.
    """
    try:
        return make(_text(path) if path else default)
    except DocumentError as error:
        raise click.UsageError(f"{path}: {error}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror or error}") from None


def _text(path: str) -> str:
    with open(path, "rb") as file:  # which may be a device without an end
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise DocumentError("", f"larger than {MAX_BYTES:,} bytes")
    return data.decode("utf-8-sig")


def contract_of(path: str | None) -> Contract:
    """The claim schema of a file; None for that of the package.

    Raises:
        click.UsageError: the file cannot be used.
    """
    outcome = [column.name for column in CLAIM_OUTCOME]
    return checked(path, default_contract_text(), lambda text: check_contract(text, outcome))


def rules_of(path: str | None, contract: Contract) -> Rules:
    """The rules of a file; None for those of the package.

    Raises:
        click.UsageError: the file cannot be used.
    """
    return checked(path, default_rules_text(), lambda text: check_rules(text, contract))


def map_of(name: str | None) -> ClaimMap | None:
    """The claim map of a file, or a packaged one; None without a name.

    Raises:
        click.UsageError: there is no such map, or it cannot be used.
    """
    if name is None:
        return None
    if name in PACKAGED_MAPS:
        return ClaimMap.packaged(name)
    if not _PATH.search(name) and not Path(name).exists():
        names, near = ", ".join(PACKAGED_MAPS), meant(name, PACKAGED_MAPS)
        raise click.UsageError(f"{name} is neither a packaged map ({names}) nor a file{near}")
    return checked(name, "", ClaimMap)
