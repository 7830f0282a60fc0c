"""`claims tables`: the two tables and their views, made or extended as a launch would."""

from dataclasses import replace

import click

from claims_ops.deployment import request as requests


@click.command("tables")
@requests.tables
def tables(request: requests.TablesRequest) -> None:
    """Create the tables and views, or add missing columns.

    Prepares the tables exactly as a launch does, but starts no job. Use it to create the tables
    before a launch, or to add columns while a job is running. It never removes a column; it
    replaces the views (current claims, their service lines, Tuva's medical_claim).

    \b
    Examples:
      claims tables --project my-project
      claims tables --project my-project --name claims-eu --location europe-west3
      claims tables --project my-project --parameter error_retention_days=90
    """
    # Imported here: it brings Beam, which takes seconds.
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipeline.launch import options, prepare
    from pipeline.sinks.bigquery import views

    project = requests.project(request)
    given = requests.parameters(request, project)
    wanted = options.check(PipelineOptions([f"--{key}={value}" for key, value in given.items()]))
    location = wanted.dataset_location or request.location
    try:
        made = prepare.settings(wanted)
        complete = replace(
            wanted,
            create_tables=True,
            create_views=not views.lacking(made.contract.columns),
            dataset_location=location,
        )
        for table, done in prepare.prepare_tables(complete, made, project).items():
            click.echo(f"{table}: {done}")
    except options.ParameterError as error:
        raise click.ClickException(str(error)) from None
