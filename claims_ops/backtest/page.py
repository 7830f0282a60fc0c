"""The page of a backtest: one HTML file without scripts that loads nothing."""

from importlib.metadata import version

from claims_ops.backtest.summary import TABLES, Figures, headline


def render(found: Figures) -> str:
    """The whole page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("claims_ops.backtest", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    tables = [(title, heads, make(found)) for title, heads, make in TABLES]
    return environment.get_template("page.html").render(
        lines=headline(found),
        tables=[table for table in tables if table[2]],
        version=version("claims-pipeline"),
    )
