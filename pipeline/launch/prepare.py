"""From the checked parameters to the parts of the graph: settings, tables, source and sinks."""

import logging
import re
import shutil
from dataclasses import replace
from importlib.metadata import version

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from google.auth.exceptions import GoogleAuthError

from pipeline import clients, graph
from pipeline.claims.contract import Contract, default_contract_text
from pipeline.claims.document_text import MAX_BYTES, DocumentError
from pipeline.claims.documents import check_contract, check_rules
from pipeline.claims.formats.table import FORMATS
from pipeline.claims.mapping.claim_map import PACKAGED_MAPS, ClaimMap
from pipeline.claims.rules import default_rules_text
from pipeline.claims.signals.published_table import InvalidReference
from pipeline.claims.tables import CLAIM_OUTCOME, Table, TableName, claims_table, errors_table
from pipeline.graph import Sinks
from pipeline.launch.nearest import meant
from pipeline.launch.options import Launch, ParameterError
from pipeline.launch.rehearsal import RehearsalFailed, rehearse
from pipeline.privacy import pseudonymisation
from pipeline.privacy.pseudonymisation import KeyUnusable
from pipeline.reference.files import FileUnusable, look
from pipeline.reference.watch import ReferenceFiles, load, source_of
from pipeline.settings import Settings
from pipeline.sinks.bigquery.storage_write import StorageWrite
from pipeline.sinks.bigquery.streaming_insert import StreamingInsert
from pipeline.sinks.bigquery.table_fit import TableError
from pipeline.sinks.bigquery.table_setup import TableSetup
from pipeline.sinks.bigquery.write_path import wait_until_known
from pipeline.transforms.source_files import UnfitFiles, match
from pipeline.transforms.sources import ReadFiles, ReadPubSub

PIPELINE_VERSION = version("claims-pipeline")

_log = logging.getLogger(__name__)


class Unreadable(ParameterError):
    """The file or files that a parameter names cannot be read."""


def _document(parameter: str, path: str | None, default: str) -> str:
    if path is None:
        return default
    try:
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ParameterError(parameter, f"{path} does not exist") from None
    except Exception as error:  # each file system has its own
        raise Unreadable(parameter, f"{path} cannot be read: {error}") from None
    if len(data) > MAX_BYTES:
        raise ParameterError(parameter, f"{path} is larger than {MAX_BYTES:,} bytes")
    try:
        return str(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ParameterError(parameter, f"{path} is not UTF-8 text") from None


def settings(launch: Launch) -> Settings:
    """The documents of a launch, read and checked.

    Raises:
        ParameterError: names the parameter, the file and the place in it.
    """
    contract_text = _document("claim_schema", launch.claim_schema, default_contract_text())
    rules_text = _document("rules", launch.rules, default_rules_text())
    try:
        contract = check_contract(contract_text, [column.name for column in CLAIM_OUTCOME])
    except DocumentError as error:
        raise ParameterError("claim_schema", f"{launch.claim_schema}: {error}") from None
    try:
        rules = check_rules(rules_text, contract)
    except DocumentError as error:
        raise ParameterError("rules", f"{launch.rules or 'default rules'}: {error}") from None
    claim_map = _claim_map(launch)
    names, key = launch.pseudonymise, launch.pseudonym_key
    try:
        pseudonymised = pseudonymisation.check(names, key, contract, rules)
    except DocumentError as error:
        raise ParameterError("pseudonymise", str(error)) from None
    except KeyUnusable as error:
        raise ParameterError("pseudonym_key", str(error)) from None
    made = Settings(
        contract,
        rules,
        launch.high_risk_threshold,
        PIPELINE_VERSION,
        launch.error_payload,
        pseudonymised,
        launch.input_format,
        claim_map,
        _reference_files(launch, contract),
    )
    try:
        rehearse(replace(made, reference_files=ReferenceFiles()))  # which were read just now
    except RehearsalFailed as error:
        document = getattr(launch, error.parameter) or "the default document"
        raise ParameterError(error.parameter, f"{document}: {error}") from None
    return made


def _claim_map(launch: Launch) -> ClaimMap | None:
    name = launch.claim_map or FORMATS[launch.input_format].claim_map
    if name is None:
        return None
    if name in PACKAGED_MAPS:
        return ClaimMap.packaged(name)
    if not re.search(r"[./\\]", name):
        names, near = ", ".join(PACKAGED_MAPS), meant(name, PACKAGED_MAPS)
        raise ParameterError(
            "claim_map",
            f"{name} is neither a packaged map ({names}) nor a file{near}",
        )
    try:
        return ClaimMap(_document("claim_map", name, ""))
    except DocumentError as error:
        raise ParameterError("claim_map", f"{name}: {error}") from None


def _reference_files(launch: Launch, contract: Contract) -> ReferenceFiles:
    """The files that workers will read again, each of which can be used now."""
    for parameter, path in launch.reference_files:
        try:
            load(look(path), source_of(parameter, contract))
        except (FileUnusable, DocumentError, InvalidReference) as error:
            raise ParameterError(parameter, f"{path}: {error}") from None
    return ReferenceFiles(launch.reference_files, launch.reference_refresh_minutes)


def targets(launch: Launch, made: Settings) -> dict[str, tuple[TableName, Table]]:
    """The tables by their parameters: name, and what each must look like."""
    return {
        "output_table": (TableName.parse(launch.output_table), claims_table(made.contract)),
        "error_table": (TableName.parse(launch.error_table), errors_table()),
    }


def prepare_tables(launch: Launch, made: Settings, project: str | None) -> dict[str, str]:
    """Create and extend the two tables, and the views if wanted; what was done, by table and view.

    `project` pays for the calls; None means the project of each table.

    Raises:
        ParameterError: names the parameter of a table that cannot take the rows, and why.
    """
    done = {}
    for parameter, (name, table) in targets(launch, made).items():
        retention = launch.error_retention_days if parameter == "error_table" else None
        try:
            with clients.bigquery_client(project or name.project) as client:
                setup = TableSetup(
                    client,
                    create=launch.create_tables,
                    dataset_location=launch.dataset_location,
                    kms_key=launch.bigquery_kms_key,
                )
                done[str(name)] = setup.ensure(name, table, retention)
                _log.info("%s %s: %s", parameter, name, done[str(name)])
                if launch.create_views and parameter == "output_table":
                    done |= dict.fromkeys(setup.make_views(name, table), "created or replaced")
        except TableError as error:
            raise ParameterError(parameter, str(error)) from None
        except GoogleAuthError as error:  # no client without credentials
            raise ParameterError(parameter, f"{name}: {clients.reason_of(error)}") from None
    return done


def wait_for_write_path(launch: Launch, made: Settings, done: dict[str, str]) -> None:
    """Wait, within bounds, until appends know what `prepare_tables` has created or added."""
    if launch.write_method != "STORAGE_WRITE_API" or clients.is_emulated():
        return
    for name, table in targets(launch, made).values():
        if done[str(name)].startswith(("created", "added")):
            wait_until_known(name, table, launch.bigquery_storage_endpoint)


def source(launch: Launch) -> beam.PTransform:
    """The transform that reads the messages.

    Raises:
        ParameterError: there are no such files.
    """
    if launch.input_files is None:
        return ReadPubSub(
            launch.input_subscription, launch.input_topic, launch.message_id_attribute
        )
    try:
        found = next(match(launch.input_files), None)
    except UnfitFiles as error:
        raise ParameterError("input_files", str(error)) from None
    except Exception as error:  # each file system has its own
        raise Unreadable("input_files", f"cannot be listed: {error}") from None
    if found is None:
        raise ParameterError("input_files", f"no file matches {launch.input_files}")
    return ReadFiles(launch.input_files, launch.input_format, launch.csv_dialect)


def sinks(launch: Launch, made: Settings) -> Sinks:
    def sink(name: TableName, table: Table) -> beam.PTransform:
        if launch.write_method == "STREAMING_INSERTS":
            return StreamingInsert(name, table.columns)
        return StorageWrite(name, table.columns, endpoint=launch.bigquery_storage_endpoint)

    return Sinks(*(sink(name, table) for name, table in targets(launch, made).values()))


def pipeline(launch: Launch, made: Settings, options: PipelineOptions) -> beam.Pipeline:
    """The whole pipeline, ready to run; streaming is set as the source asks for.

    Raises:
        ParameterError: there are no such files, or Beam refuses one of its own options.
    """
    reader = source(launch)
    # Beam itself infers it too late for the Pub/Sub source.
    options.view_as(StandardOptions).streaming = launch.streaming
    try:
        assembled = beam.Pipeline(options=options)
    except ValueError as error:  # a check of Beam's own options, which it names
        raise ParameterError("Beam", str(error)) from None
    # For transforms of other languages, of which there are none; Beam deletes it once it runs.
    shutil.rmtree(assembled.local_tempdir, ignore_errors=True)
    graph.build(assembled | "ReadMessages" >> reader, made, sinks(launch, made))
    return assembled
