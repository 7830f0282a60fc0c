"""`python -m workshop.benchmarks.detection`: measures, shows the page, and writes it here."""

from pathlib import Path

import click

from pipeline.claims.signals.published_table import InvalidReference
from pipeline.claims.signals.table import SOURCES
from workshop.benchmarks.detection import report
from workshop.benchmarks.detection.labelled import Unusable, read_claims, read_labels
from workshop.benchmarks.detection.measure import measure
from workshop.benchmarks.detection.rings import generated

HERE = Path(__file__).parent
_GENERATED = """\
The claims are generated, and so are the labels: rings of providers were planted with the patterns
that the signals look for (workshop/benchmarks/detection/rings.py, seed {seed}). The results show
that lists, profiles and rules work together, but not how much real fraud they would find. Profiles
are computed every 30 days, from the claims that had arrived by then."""
_FILES = """\
The claims and the providers' labels come from two files. Profiles for the rules are computed every
30 days, from the claims that had arrived by then."""
_path = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--claims", type=_path, help="Claims as NDJSON, or as CSV with the contract's names.")
@click.option(
    "--map", "claim_map", type=_path, help="Claim map, for claims with a different structure."
)
@click.option("--labels", type=_path, help="CSV: provider, and yes, no, 1 or 0.")
@click.option(
    "--list",
    "lists",
    nargs=2,
    multiple=True,
    metavar="NAME FILE",
    help="Reference list, named by its launch parameter, such as `mue_table mue.csv`. Repeatable.",
)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Seed for the generated claims."
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory for results.md and results.json.  [default: here; build/detect with --claims]",
)
def main(
    claims: Path | None,
    claim_map: Path | None,
    labels: Path | None,
    lists: tuple[tuple[str, str], ...],
    seed: int,
    output: Path | None,
) -> None:
    """Measure how well rules, signals and profiles find what labels say is fraud.

    On generated claims with rings; or on claims and labels of your own.
    """
    if (claims is None) != (labels is None):
        raise click.UsageError("Pass --claims and --labels together.")
    try:
        if claims and labels:
            read = read_claims(claims, claim_map)
            lookups = {name: _read(name, Path(path)) for name, path in lists}
            results = measure(read.valid, read_labels(labels), lookups, _FILES)
            results.notes["lines that are no claim"] = f"{read.rejected:,}"
        else:
            made = generated(seed)
            lookups = {name: SOURCES[name].read(lines) for name, lines in made.lists.items()}
            data = _GENERATED.format(seed=seed)
            results = measure(made.claims, made.labels, lookups, data, made.large)
    except Unusable as unusable:
        raise click.ClickException(str(unusable)) from None
    output = output or (HERE.parents[2] / "build/detect" if claims else HERE)
    output.mkdir(parents=True, exist_ok=True)
    click.echo(report.markdown(results))
    for name, write in (("results.md", report.markdown), ("results.json", report.document)):
        (output / name).write_text(write(results), "utf-8")
        click.echo(f"written: {output / name}")


def _read(name: str, path: Path) -> object:
    if name not in SOURCES:
        raise Unusable(f"{name}: not one of {', '.join(SOURCES)}")
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            return SOURCES[name].read(file)
    except (OSError, InvalidReference) as error:
        raise Unusable(f"{path}: {error}") from None


if __name__ == "__main__":
    main()
