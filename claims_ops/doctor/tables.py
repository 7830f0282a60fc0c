"""Checks of the two tables, and of the claim schema and the rules."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from claims_ops.doctor.finding import Check, Once, Unknown, Verdict, failed, passed
from claims_ops.doctor.setup import Setup
from claims_ops.shared.counted import in_days
from pipeline import clients
from pipeline.claims.tables import Table, TableName, column_list
from pipeline.launch import prepare
from pipeline.launch.options import ParameterError
from pipeline.sinks.bigquery.table_fit import DAY_MS, Fit, TableError

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sinks.bigquery.table_setup import TableSetup


def checks(setup: Setup, launches: Once[bool]) -> Iterator[Check]:
    """`launches` tells whether a launch is still to come, which would make the tables."""
    made = Once(lambda: prepare.settings(setup.launch))
    for name in ("claim_schema", "rules"):
        path = setup.to.parameters.get(name)
        if path:
            yield _document(setup, path, made)
    for parameter in ("output_table", "error_table"):
        table = TableName.parse(setup.to.parameters[parameter])
        one = _Table(setup, parameter, table, made, launches)
        yield Check("table", str(table), one.ask, f"bq show {table.project}:{table[1]}.{table[2]}")


def _document(setup: Setup, path: str, made: "Once[Settings]") -> Check:
    cat = setup.shown("storage", ("storage", "cat", path))
    upload = setup.shown("storage", ("storage", "cp", "FIXED_FILE", path))
    return Check("documents", path, lambda: _documents(made, cat, upload), cat)


def _documents(made: "Once[Settings]", cat: str, upload: str) -> Verdict:
    try:
        made()
    except prepare.Unreadable as error:
        raise Unknown(str(error), cat) from None
    except ParameterError as error:
        return failed(str(error), upload)
    return passed("readable and valid")


class _Table:
    def __init__(
        self,
        setup: Setup,
        parameter: str,
        name: TableName,
        made: "Once[Settings]",
        launches: Once[bool],
    ) -> None:
        self._setup = setup
        self._parameter = parameter
        self._name = name
        self._made = made
        self._launches = launches

    def ask(self) -> Verdict:
        from pipeline.sinks.bigquery.table_setup import NoAnswer, TableSetup

        _, table = prepare.targets(self._setup.launch, self._made())[self._parameter]
        with clients.bigquery_client(
            self._setup.to.project, self._setup.credentials("bigquery")
        ) as client:
            tables = TableSetup(client, create=False, timeout_seconds=self._setup.seconds)
            try:
                fit = tables.look(self._name, table)
                return self._missing(tables) if fit is None else self._judged(fit, table)
            except NoAnswer:
                raise
            except TableError as error:
                other = f"--parameter={self._parameter}={self._name}_2"
                return failed(str(error), self._setup.tables(other))

    def _missing(self, tables: "TableSetup") -> Verdict:
        if tables.has_dataset(self._name):
            return self._fixed("does not exist", "will create it", self._setup.tables())
        message = f"the dataset {self._name.project}:{self._name.dataset} does not exist"
        location = f"--location={self._setup.to.location}"
        make = self._setup.tables(location)
        if self._setup.launch.dataset_location:
            return self._fixed(message, "will create it", make)
        return failed(message, make)

    def _judged(self, fit: Fit, table: Table) -> Verdict:
        if not fit.is_partitioned:
            return failed(f"is not partitioned by {table.partition_column}", self._copy(table))
        if fit.lacks:
            how = "will add them" if len(fit.lacks) > 1 else "will add it"
            missing = f"is missing {column_list(fit.lacks)}"
            return self._fixed(missing, how, self._setup.tables())
        kept = _period((fit.table.time_partitioning.expiration_ms or 0) / DAY_MS)
        is_error_table = self._parameter == "error_table"
        retention_days = self._setup.launch.error_retention_days if is_error_table else None
        if retention_days is not None and not fit.keeps(retention_days):
            wanted = f"{_period(retention_days)} (error_retention_days={retention_days})"
            message = f"partitions are kept {kept}, not {wanted}"
            return self._fixed(message, "will change this", self._setup.tables())
        layout = f"is partitioned daily on {table.partition_column}"
        return passed(f"has the right columns, {layout}, and keeps partitions {kept}")

    def _fixed(self, message: str, how: str, make: str) -> Verdict:
        """A failure, unless a launch is to come that fixes it."""
        if self._setup.launch.create_tables and self._launches():
            return passed(f"{message}; the launch {how}")
        return failed(message, make)

    def _copy(self, table: Table) -> str:
        query = f"bq query --project_id={self._name.project} --nouse_legacy_sql"
        by_day = (
            f"CREATE TABLE `{self._name}_by_day` PARTITION BY DATE({table.partition_column})"
            f" CLUSTER BY {', '.join(table.clustering)}"
        )
        return f"{query} '{by_day} AS SELECT * FROM `{self._name}`'"  # noqa: S608 - shown, not run


def _period(days: float) -> str:
    return f"for {in_days(days)}" if days else "forever"
