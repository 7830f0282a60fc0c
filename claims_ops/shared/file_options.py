"""The options of commands that read files of claims, declared once."""

from typing import Any

import click

from pipeline.claims.formats.delimited import ENCODINGS
from pipeline.claims.formats.table import FORMATS
from pipeline.claims.mapping.claim_map import PACKAGED_MAPS


class _Delimiter(click.ParamType[str]):
    """One character, or the word tab."""

    name = "character"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = "\t" if value == "tab" else str(value)
        if len(text) != 1 or text in '"\r\n':
            self.fail("must be one character, or the word tab.", param, ctx)
        return text


claim_map = click.option(
    "--map",
    "map_name",
    metavar="MAP",
    help=f"Claim map for files: a file, or a packaged map ({', '.join(PACKAGED_MAPS)}).",
)
input_format = click.option(
    "--format",
    "input_format",
    type=click.Choice(list(FORMATS)),
    help="Format of the files.  [default: detected for each file]",
)
delimiter = click.option(
    "--csv-delimiter",
    type=_Delimiter(),
    default=",",
    show_default=True,
    metavar="CHARACTER",
    help="Field delimiter of CSV files: one character, or the word tab.",
)
encoding = click.option(
    "--csv-encoding",
    type=click.Choice(list(ENCODINGS)),
    default="UTF-8",
    show_default=True,
    help="Character encoding of CSV files.",
)
