"""Every launch parameter, declared once; metadata.json and the docs are generated from here."""

import argparse
import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, get_args, get_type_hints

from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.claims.formats.delimited import Dialect
from pipeline.claims.formats.table import FORMATS
from pipeline.claims.mapping.claim_map import PACKAGED_MAPS
from pipeline.claims.signals.table import SOURCES as SOURCES_OF_SIGNALS
from pipeline.claims.tables import PROJECT_PATTERN, TABLE_PATTERN
from pipeline.launch.nearest import meant
from pipeline.launch.parameter import Choice, Parameter, as_text

_RESOURCE = r"[A-Za-z][A-Za-z0-9._~+%-]{2,254}"
_TABLE = rf"^{TABLE_PATTERN}$"
STORED_FILE = "gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/.+"
"""A file, or files, of Cloud Storage: the workers of Dataflow have no others."""
_SECRET = re.compile(
    r"(?!projects/|gs://|[.~]{0,2}/.*[^=]$)(?:[A-Za-z0-9+/=_-]{24,}|[^/]{24,})", re.DOTALL
)
"""Hexadecimal, base64, a token or a phrase, as long as a key, and no place where a key could be."""
_SHOWN = 200
"""Characters of a wrong value that an error repeats."""
_KMS = "[A-Za-z0-9_-]{1,63}"
_FIELD = r"[A-Za-z_][A-Za-z0-9_]*"
_HOST = r"[A-Za-z0-9]+((\.|-+)[A-Za-z0-9]+)*"
_PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6([0-4][0-9]{3}|5([0-4][0-9]{2}|5([0-2][0-9]|3[0-5]))))"
_FRACTION = r"^(0(\.[0-9]+)?|1(\.0+)?|\.[0-9]+)$"


class ParameterError(Exception):
    """A launch parameter is wrong: which one and why, in one line."""

    def __init__(self, parameter: str, reason: str) -> None:
        super().__init__(f"{parameter}: {' '.join(reason.split())}")


def _parameter(label: str, text: str, **more: Any) -> Any:
    """Declare an attribute of `Launch` as a launch parameter."""
    return field(metadata={"parameter": Parameter(label, text, **more)})


def _file(label: str, text: str, **more: Any) -> Any:
    """The same for a file that is read."""
    return _parameter(label, text, param_type="GCS_READ_FILE", or_local=True, **more)


_PICKERS = {bool: "BOOLEAN", int: "NUMBER", float: "NUMBER", str: "TEXT"}
"""By the type of an attribute, what picks its value in the console."""
REFERENCE_FILES = ("rules", *SOURCES_OF_SIGNALS)
"""Parameters whose files workers read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """The parameters of one launch, checked and typed: what `check` makes of Beam's options."""

    input_subscription: str | None = _parameter(
        "Pub/Sub input subscription",
        "Subscription to read claims from. Pass exactly one of input_subscription, input_topic"
        " or input_files.",
        section="Source",
        param_type="PUBSUB_SUBSCRIPTION",
        example="projects/my-project/subscriptions/claims",
        regex=rf"^projects/{PROJECT_PATTERN}/subscriptions/{_RESOURCE}$",
    )
    input_topic: str | None = _parameter(
        "Pub/Sub input topic",
        "Topic to read claims from. Dataflow creates a subscription for the job and deletes it"
        " when the job ends.",
        param_type="PUBSUB_TOPIC",
        example="projects/my-project/topics/claims",
        regex=rf"^projects/{PROJECT_PATTERN}/topics/{_RESOURCE}$",
    )
    input_files: str | None = _file(
        "Input files for a backfill",
        "Files to read once, as a batch job: a gs:// path or glob. They may be compressed.",
        example="gs://my-bucket/claims/2026-*.ndjson.gz",
    )
    input_format: str = _parameter(
        "Input format",
        "Format of the input.",
        default="JSON",
        choices=(
            Choice("JSON", "JSON", "one document per message, or per line of a file"),
            Choice("CSV", "CSV", "a header and one row per claim; needs input_files"),
            Choice("X12", "X12 837", "837 professional, institutional and dental claims"),
        ),
    )
    csv_delimiter: str = _parameter(
        "CSV delimiter",
        "Field delimiter of CSV files: one character, or the word tab.",
        default=",",
        example="|",
        regex=r"^(tab|[!#-~])$",
        only_with=("input_format", "CSV"),
    )
    csv_encoding: str = _parameter(
        "CSV encoding",
        "Character encoding of CSV files.",
        default="UTF-8",
        choices=(
            Choice("UTF-8", "UTF-8", "with or without a byte order mark"),
            Choice("ISO-8859-1", "ISO 8859-1", "Western European, also called Latin-1"),
            Choice("WINDOWS-1252", "Windows 1252", "Western European on Windows"),
        ),
        only_with=("input_format", "CSV"),
    )
    claim_map: str | None = _parameter(
        "Claim map",
        "JSONata expression that turns documents with a different structure into claims: a packaged"
        f" map ({', '.join(PACKAGED_MAPS)}) or a file. Without one, every message must already be a"
        " claim, except that X12 input uses the packaged x12_837.",
        or_local=True,
        example="fhir_r4_claim",
    )
    message_id_attribute: str | None = _parameter(
        "Message ID attribute",
        "Pub/Sub attribute that holds the producer's own message ID. Dataflow drops a message"
        " that repeats an ID within 10 minutes, except in at-least-once mode.",
        example="event_id",
        regex=r"^[!-~]([ -~]{0,254}[!-~])?$",
    )
    output_table: str = _parameter(
        "Claims table",
        "BigQuery table for scored claims, as project:dataset.table or project.dataset.table.",
        section="Output",
        example="my-project:claims.claims",
        required=True,
        regex=_TABLE,
    )
    error_table: str = _parameter(
        "Error table",
        "BigQuery table for rejected messages, as project:dataset.table or"
        " project.dataset.table. By default, it stores them in full for replay, so it holds health"
        " data.",
        example="my-project:claims.errors",
        required=True,
        regex=_TABLE,
    )
    error_payload: str = _parameter(
        "Error table payload",
        "How much of a rejected message the error table keeps.",
        default="FULL",
        choices=(
            Choice("FULL", "Full message", "the original message, which can be replayed"),
            Choice(
                "REDACTED",
                "Structure only",
                "field names and types without values, which cannot be replayed",
            ),
        ),
    )
    pseudonymise: str | None = _parameter(
        "Fields to pseudonymise",
        "Text fields of the claim schema, separated by commas, whose values are replaced with"
        " pseudonyms (keyed HMAC-SHA-256) in both tables. Jobs with the same key produce the same"
        " pseudonyms. Rules are evaluated on the original values. A replayed message already holds"
        " pseudonyms, so rules that inspect the value of a listed field are not applied to it. In"
        " fields outside the schema, only values whose key resembles a listed field are replaced."
        " Needs pseudonym_key.",
        is_quoted=False,
        example="patient_id,claim_id",
        regex=rf"^{_FIELD}( *, *{_FIELD})*$",
    )
    pseudonym_key: str | None = _parameter(
        "Pseudonym key",
        "Where to read the key from: a numbered version of a secret in Secret Manager, or a gs://"
        " file. The key must be at least 32 bytes long. Never pass the key itself.",
        or_local=True,
        is_reference=True,
        dataflow_regex=rf"^(projects/({PROJECT_PATTERN}|[0-9]{{1,19}})/secrets/[A-Za-z0-9_-]{{1,255}}/versions/[0-9]+"
        rf"|{STORED_FILE})$",
        example="projects/my-project/secrets/claims-pseudonyms/versions/1",
    )
    write_method: str = _parameter(
        "Write method",
        "How rows are written to BigQuery.",
        default="STORAGE_WRITE_API",
        choices=(
            Choice(
                "STORAGE_WRITE_API",
                "Storage Write API",
                "faster, at half the price of streaming inserts",
            ),
            Choice(
                "STREAMING_INSERTS",
                "Streaming inserts",
                "the older insertAll API, using Beam's own sink",
            ),
        ),
    )
    create_tables: bool = _parameter(
        "Create and extend tables",
        "Whether the launch creates missing tables and adds new columns to existing ones: true or"
        " false.",
        default=True,
    )
    create_views: bool = _parameter(
        "Create views",
        "Whether the launch creates views of the claims table: current claims (with replacements"
        " and voids applied), their service lines, and the Tuva Project's medical_claim input.",
        default=False,
        only_with=("create_tables", "true"),
    )
    dataset_location: str | None = _parameter(
        "Location for new datasets",
        "Location where the launch creates a missing dataset. If it is not set, a missing"
        " dataset stops the launch.",
        example="US",
        regex=r"^[A-Za-z][A-Za-z0-9-]{1,40}$",
        only_with=("create_tables", "true"),
    )
    error_retention_days: int | None = _parameter(
        "Error table retention",
        "Days to keep each partition of the error table; 0 keeps partitions forever. If it is"
        " not set, a new table keeps them forever and an existing table is not changed.",
        example="90",
        regex=r"^[0-9]{1,4}$",
        only_with=("create_tables", "true"),
    )
    bigquery_kms_key: str | None = _parameter(
        "KMS key for new tables",
        "Cloud KMS key that encrypts the tables the launch creates.",
        param_type="KMS_KEY_NAME",
        example="projects/my-project/locations/us/keyRings/claims/cryptoKeys/bigquery",
        regex=rf"^projects/{PROJECT_PATTERN}/locations/{_KMS}/keyRings/{_KMS}/cryptoKeys/{_KMS}$",
        only_with=("create_tables", "true"),
    )
    high_risk_threshold: float = _parameter(
        "High-risk threshold",
        "Claims that score above this value, 0 to 1, are flagged as high risk.",
        section="Scoring",
        example="0.7",
        default=0.5,
        regex=_FRACTION,
    )
    rules: str | None = _file(
        "Rules file",
        "gs:// file with the risk and quality rules. If it is not set, the template's own rules"
        " apply. Workers reload the file when it changes.",
        example="gs://my-bucket/rules.json",
    )
    claim_schema: str | None = _file(
        "Claim schema",
        "gs:// file with the JSON Schema of a claim. If it is not set, the template's own schema"
        " applies.",
        example="gs://my-bucket/claim.schema.json",
    )
    excluded_providers: str | None = _file(
        "Excluded providers",
        "gs:// file that lists the providers excluded from federal programs, as published by the"
        " OIG (LEIE, UPDATED.csv). Providers are matched by NPI. Workers reload the file when it"
        " changes.",
        section="Signals",
        example="gs://my-bucket/reference/UPDATED.csv",
    )
    mue_table: str | None = _file(
        "Medically unlikely edits",
        "gs:// file with the maximum units for each procedure, as published by CMS (NCCI MUE,"
        " CSV). Workers reload the file when it changes.",
        example="gs://my-bucket/reference/MCR_MUE_PractitionerServices.csv",
    )
    ptp_edits: str | None = _file(
        "Procedure-to-procedure edits",
        "gs:// file or pattern that lists pairs of procedures that must not be billed together, as"
        " published by CMS (NCCI PTP, text). Workers reload the files when they change.",
        example="gs://my-bucket/reference/ccipra-*.txt",
    )
    provider_profile: str | None = _file(
        "Provider profiles",
        "gs:// file or pattern with a profile of each provider, written by the `claims profiles`"
        " command or by its scheduled query. Workers reload the files when they change.",
        example="gs://my-bucket/reference/provider_profile-*.csv",
    )
    claim_percentiles: str | None = _file(
        "Claim amount percentiles",
        "gs:// file or pattern with the percentiles of claim amounts, written by the `claims"
        " profiles` command or by its scheduled query. Workers reload the files when they change.",
        example="gs://my-bucket/reference/claim_percentiles-*.csv",
    )
    reference_refresh_minutes: float = _parameter(
        "Reload interval in minutes",
        "How often, in minutes, workers check the rules and reference files for changes; 0 reads"
        " them only once.",
        example="5",
        default=10.0,
        regex=r"^[0-9]{1,4}([.][0-9]{1,3})?$",
    )
    bigquery_storage_endpoint: str | None = _parameter(
        "BigQuery Storage endpoint",
        "Host of the BigQuery Storage API, for a private endpoint: https://host,"
        " https://host:port or host:port. Connections use TLS and the worker's credentials,"
        " except to a loopback host:port, which is meant for tests and uses plaintext.",
        section="Advanced",
        example="https://bigquerystorage-example.p.googleapis.com",
        regex=rf"^(https://{_HOST}(:{_PORT})?|{_HOST}:{_PORT})$",
        hidden=True,
    )

    @property
    def reference_files(self) -> tuple[tuple[str, str], ...]:
        """The files that workers read again, by parameter."""
        named = ((name, getattr(self, name)) for name in REFERENCE_FILES)
        return tuple((name, path) for name, path in named if path)

    @property
    def streaming(self) -> bool:
        """Whether the source is Pub/Sub, and the job a streaming one."""
        return self.input_files is None

    @property
    def csv_dialect(self) -> Dialect:
        delimiter = "\t" if self.csv_delimiter == "tab" else self.csv_delimiter
        return Dialect(delimiter, self.csv_encoding)


def _declared() -> Iterator[Parameter]:
    types = get_type_hints(Launch)
    section = ""
    for each in fields(Launch):
        declared: Parameter = each.metadata["parameter"]
        section = declared.section or section
        kind = next(
            kind for kind in _PICKERS if kind in (types[each.name], *get_args(types[each.name]))
        )
        picker = declared.param_type or ("ENUM" if declared.choices else _PICKERS[kind])
        yield replace(declared, name=each.name, type=kind, param_type=picker, section=section)


PARAMETERS = tuple(_declared())
"""The declarations, in the order of the console."""
DESCRIPTION = (
    "Reads healthcare claims from Pub/Sub or files, scores their fraud risk, and writes them to"
    " BigQuery. Messages that fail go to an error table."
)
EXAMPLES = """\
Beam's own options are passed through, such as --runner, --project, --region, --temp_location,
--staging_location, --max_num_workers, --job_name and --update.

examples:
  on this machine, against emulators or with your own credentials:
    python -m pipeline.main --runner=DirectRunner \\
      --input_subscription=projects/my-project/subscriptions/claims \\
      --output_table=my-project:claims.claims --error_table=my-project:claims.errors

  on Dataflow:
    python -m pipeline.main --runner=DataflowRunner --project=my-project --region=us-central1 \\
      --temp_location=gs://my-bucket/temp --staging_location=gs://my-bucket/staging \\
      --max_num_workers=5 --input_subscription=projects/my-project/subscriptions/claims \\
      --output_table=my-project:claims.claims --error_table=my-project:claims.errors
"""
SOURCES = ("input_subscription", "input_topic", "input_files")


class ClaimsOptions(PipelineOptions):
    """The parameters as Beam options.

    None is `required` for argparse: Beam parses every option class of the process for every
    pipeline in it, and ours must not end another one's.
    """

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        for parameter in PARAMETERS:
            add_argument(parser, parameter)


def add_argument(parser: argparse._ActionsContainer, parameter: Parameter) -> None:
    text = parameter.command_line_text.replace("%", "%%")  # a percent sign is argparse's own
    if parameter.default_text:
        text += f" [default: {parameter.default_text}]"
    parser.add_argument(
        f"--{parameter.name}",
        default=parameter.default,
        metavar="VALUE",
        help=argparse.SUPPRESS if parameter.hidden else text,
    )


def _value(parameter: Parameter, given: Any) -> Any:
    """The checked value of one parameter; empty text counts as not given."""
    if given is None or given == "":
        if parameter.required:
            raise ParameterError(parameter.name, "is required")
        return parameter.default
    text = as_text(given)
    if parameter.is_reference and _SECRET.fullmatch(text) and not os.path.exists(text):
        raise ParameterError(parameter.name, f"looks like the secret itself. {parameter.text}")
    values = [choice.value for choice in parameter.choices]
    if values and text not in values:
        raise ParameterError(
            parameter.name, f"must be one of {', '.join(values)}{meant(text, values)}"
        )
    if parameter.regex and not re.fullmatch(parameter.regex, text):
        shown = f"{text[:_SHOWN]!r} " if parameter.is_quoted else ""
        raise ParameterError(parameter.name, f"{shown}is not valid. {parameter.text}")
    if parameter.type is bool:
        if text.lower() not in ("true", "false"):
            raise ParameterError(parameter.name, "must be true or false")
        return text.lower() == "true"
    return parameter.type(text)


def check(options: PipelineOptions) -> Launch:
    """The launch that the options describe.

    Raises:
        ParameterError: a value is wrong, or not exactly one source is given.
    """
    given = options.view_as(ClaimsOptions)
    launch = Launch(**{each.name: _value(each, getattr(given, each.name)) for each in PARAMETERS})
    sources = [name for name in SOURCES if getattr(launch, name)]
    if len(sources) != 1:
        names = f"{', '.join(SOURCES[:-1])} or {SOURCES[-1]}"
        given_ones = ", ".join(sources[:-1]) + f" and {sources[-1]}" if sources else ""
        found = f"{given_ones} were passed" if sources else "none was passed"
        raise ParameterError(
            sources[0] if sources else SOURCES[0], f"pass exactly one of {names}; {found}"
        )
    if launch.streaming and not FORMATS[launch.input_format].has_messages:
        raise ParameterError("input_format", f"{launch.input_format} needs input_files")
    if launch.output_table.replace(":", ".") == launch.error_table.replace(":", "."):
        raise ParameterError("error_table", "must differ from output_table")
    for name, other in itertools.permutations(("pseudonymise", "pseudonym_key")):
        if getattr(launch, name) and not getattr(launch, other):
            raise ParameterError(other, f"is required with {name}")
    return launch
