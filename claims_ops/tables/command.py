"""`claims tables`: the two tables and their views, as a launch makes them, and dispositions."""

from dataclasses import replace

import click

from claims_ops.deployment import request as requests
from claims_ops.shared.dispositions import DISPOSITIONS_TABLE, dispositions_name
from pipeline.claims.tables import TableName


@click.command("tables")
@requests.tables
def tables(request: requests.TablesRequest) -> None:
    """Create the tables and views, or add missing columns.

    Prepares the tables the way a launch with create_tables=true and create_views=true would,
    regardless of those two parameters, but does not start a job. Use it to create the tables before
    a launch, or to add columns while a job is running. It never removes a column; it replaces the
    views (current claims, their service lines, Tuva's medical_claim) if the claim schema has the
    columns that they need. It also creates the dispositions table, which `claims disposition`
    writes to.

    \b
    Examples:
      claims tables --project my-project
      claims tables --project my-project --name claims-eu --location europe-west3
      claims tables --project my-project --parameter error_retention_days=90
    """
    # Imported here: it brings Beam, which takes seconds.
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipeline import clients
    from pipeline.launch import options, prepare
    from pipeline.sinks.bigquery import views
    from pipeline.sinks.bigquery.table_fit import TableError
    from pipeline.sinks.bigquery.table_setup import TableSetup

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
        dispositions = dispositions_name(TableName.parse(wanted.output_table))
        with clients.bigquery_client(project) as client:
            setup = TableSetup(client, create=True, kms_key=wanted.bigquery_kms_key)
            click.echo(f"{dispositions}: {setup.ensure(dispositions, DISPOSITIONS_TABLE)}")
    except (options.ParameterError, TableError) as error:
        raise click.ClickException(str(error)) from None
