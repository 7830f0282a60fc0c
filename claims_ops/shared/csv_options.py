"""The options of commands that read CSV files: how their rows are written."""

from typing import Any

import click

from pipeline.claims.formats.delimited import ENCODINGS


class _Delimiter(click.ParamType[str]):
    """One character, or the word tab."""

    name = "character"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = "\t" if value == "tab" else str(value)
        if len(text) != 1 or text in '"\r\n':
            self.fail("must be one character, or the word tab.", param, ctx)
        return text


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
