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
from pipeline.launch.parameter import Choice, Parameter, as_text

_RESOURCE = r"[A-Za-z][A-Za-z0-9._~+%-]{2,254}"
_TABLE = rf"^{TABLE_PATTERN}$"
_SECRET = re.compile(
    r"(?!projects/|gs://|[.~]{0,2}/)(?:[A-Za-z0-9+/=_-]{24,}|[^/]{24,})", re.DOTALL
)
"""Hexadecimal, base64, a token or a phrase, as long as a key, and no place where a key could be."""
_SHOWN = 200
"""Characters of a wrong value that an error repeats."""
_KMS = "[A-Za-z0-9_-]{1,63}"
_FIELD = r"[A-Za-z_][A-Za-z0-9_]*"
_FRACTION = r"^(0(\.[0-9]+)?|1(\.0+)?|\.[0-9]+)$"


class ParameterError(Exception):
    """A launch parameter is wrong: which one and why, in one line."""

    def __init__(self, parameter: str, reason: str) -> None:
        super().__init__(f"{parameter}: {' '.join(reason.split())}")


def _parameter(label: str, text: str, group: str, param_type: str = "TEXT", **more: Any) -> Any:
    """Declare an attribute of `Launch` as a launch parameter."""
    return field(metadata={"parameter": Parameter(label, text, group, param_type, **more)})


_KINDS = (bool, int, float, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """The parameters of one launch, checked and typed: what `check` makes of Beam's options."""

    input_subscription: str | None = _parameter(
        "Pub/Sub input subscription",
        "Subscription to read claims from. Exactly one of input_subscription, input_topic and"
        " input_files is needed.",
        "Source",
        "PUBSUB_SUBSCRIPTION",
        example="projects/my-project/subscriptions/claims",
        regex=rf"^projects/{PROJECT_PATTERN}/subscriptions/{_RESOURCE}$",
    )
    input_topic: str | None = _parameter(
        "Pub/Sub input topic",
        "Topic to read claims from. Dataflow creates a subscription for it, which is deleted with"
        " the job.",
        "Source",
        "PUBSUB_TOPIC",
        example="projects/my-project/topics/claims",
        regex=rf"^projects/{PROJECT_PATTERN}/topics/{_RESOURCE}$",
    )
    input_files: str | None = _parameter(
        "Input files for a backfill",
        "Files in the input_format, compressed ones too, read once as a batch job: a gs:// path or"
        " glob.",
        "Source",
        "GCS_READ_FILE",
        or_local=True,
        example="gs://my-bucket/claims/2026-*.ndjson.gz",
    )
    input_format: str = _parameter(
        "Input format",
        "How the input is written. CSV is for files only.",
        "Source",
        "ENUM",
        default="JSON",
        choices=(
            Choice("JSON", "JSON", "one document a message, or a line of a file"),
            Choice("CSV", "CSV", "one row a claim, below a header"),
            Choice("X12", "X12 837", "professional, institutional and dental claims"),
        ),
    )
    csv_delimiter: str = _parameter(
        "Delimiter of CSV files",
        "What separates the fields of a row: one character, or tab.",
        "Source",
        default=",",
        example="|",
        regex=r"^(tab|[!#-~])$",
        parent="input_format",
        parent_value="CSV",
    )
    csv_encoding: str = _parameter(
        "Encoding of CSV files",
        "How the characters of CSV files are encoded.",
        "Source",
        "ENUM",
        default="UTF-8",
        choices=(
            Choice("UTF-8", "UTF-8", "with or without a byte order mark"),
            Choice("ISO-8859-1", "ISO 8859-1", "Western European, latin-1"),
            Choice("WINDOWS-1252", "Windows 1252", "Western European, of Windows"),
        ),
        parent="input_format",
        parent_value="CSV",
    )
    claim_map: str | None = _parameter(
        "Claim map",
        "JSONata expression that makes claims of documents of another shape: a packaged one"
        f" ({', '.join(PACKAGED_MAPS)}), or a file. Without it messages are claims as they come;"
        " X12 has a map of its own.",
        "Source",
        or_local=True,
        example="fhir_r4_claim",
    )
    message_id_attribute: str | None = _parameter(
        "Attribute with the message id",
        "Pub/Sub message attribute with the producer's own id of a message. Dataflow drops a second"
        " message with the same id within 10 minutes, except in at-least-once mode.",
        "Source",
        example="event_id",
        regex=r"^[!-~]([ -~]{0,254}[!-~])?$",
    )
    output_table: str = _parameter(
        "Claims table",
        "BigQuery table for scored claims, as project:dataset.table or project.dataset.table.",
        "Output",
        example="my-project:claims.claims",
        required=True,
        regex=_TABLE,
    )
    error_table: str = _parameter(
        "Error table",
        "BigQuery table for rejected messages, kept whole so that they can be replayed, as"
        " project:dataset.table or project.dataset.table. It holds health data.",
        "Output",
        example="my-project:claims.errors",
        required=True,
        regex=_TABLE,
    )
    error_payload: str = _parameter(
        "Payload of the error table",
        "What the error table keeps of a rejected message.",
        "Output",
        "ENUM",
        default="FULL",
        choices=(
            Choice("FULL", "The message", "the whole message, which can be replayed"),
            Choice(
                "REDACTED",
                "Its structure",
                "field names and types without values, which cannot be replayed",
            ),
        ),
    )
    pseudonymise: str | None = _parameter(
        "Fields to pseudonymise",
        "Text fields of the claim schema, separated by commas. Both tables hold pseudonyms (keyed"
        " HMAC-SHA-256) in place of their values, the same in every job with the same key. Rules"
        " are evaluated on the original values, except for replayed messages, which already hold"
        " pseudonyms. Unknown fields are not changed. Needs pseudonym_key.",
        "Output",
        is_quoted=False,
        example="patient_id,claim_id",
        regex=rf"^{_FIELD}( *, *{_FIELD})*$",
    )
    pseudonym_key: str | None = _parameter(
        "Key of the pseudonyms",
        "Where to read the key of 32 bytes or more: a numbered version of a secret in Secret"
        " Manager, or a gs:// file. Never the key itself.",
        "Output",
        or_local=True,
        is_reference=True,
        dataflow_regex=rf"^(projects/{PROJECT_PATTERN}/secrets/[A-Za-z0-9_-]{{1,255}}/versions/[0-9]+"
        r"|gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/.+)$",
        example="projects/my-project/secrets/claims-pseudonyms/versions/1",
    )
    write_method: str = _parameter(
        "Write method",
        "How rows are written to BigQuery.",
        "Output",
        "ENUM",
        default="STORAGE_WRITE_API",
        choices=(
            Choice("STORAGE_WRITE_API", "Storage Write API", "fast, at half the price"),
            Choice(
                "STREAMING_INSERTS",
                "Streaming inserts",
                "the older insertAll API, through Beam's own sink",
            ),
        ),
    )
    create_tables: bool = _parameter(
        "Create and extend tables",
        "Whether the launch creates missing tables and adds new columns to existing ones: true or"
        " false.",
        "Output",
        "BOOLEAN",
        default=True,
    )
    create_views: bool = _parameter(
        "Create views",
        "Whether the launch creates views of the claims table: the current claims, with"
        " replacements and voids settled, their lines, and the input layer of the Tuva Project.",
        "Output",
        "BOOLEAN",
        default=False,
        parent="create_tables",
        parent_value="true",
    )
    dataset_location: str | None = _parameter(
        "Location of new datasets",
        "Location in which the launch creates a missing dataset. Without it, a missing dataset"
        " stops the launch.",
        "Output",
        example="US",
        regex=r"^[A-Za-z][A-Za-z0-9-]{1,40}$",
        parent="create_tables",
        parent_value="true",
    )
    error_retention_days: int | None = _parameter(
        "Retention of the error table",
        "Days after which a partition of the error table is deleted; 0 keeps partitions forever."
        " Without a value, a new table keeps them forever and an existing table is not changed.",
        "Output",
        "NUMBER",
        example="90",
        regex=r"^[0-9]{1,4}$",
        parent="create_tables",
        parent_value="true",
    )
    bigquery_kms_key: str | None = _parameter(
        "KMS key of new tables",
        "Cloud KMS key that protects the tables that the launch creates.",
        "Output",
        "KMS_KEY_NAME",
        example="projects/my-project/locations/us/keyRings/claims/cryptoKeys/bigquery",
        regex=rf"^projects/{PROJECT_PATTERN}/locations/{_KMS}/keyRings/{_KMS}/cryptoKeys/{_KMS}$",
        parent="create_tables",
        parent_value="true",
    )
    high_risk_threshold: float = _parameter(
        "High risk threshold",
        "Score above which a claim is flagged as high risk, 0 to 1.",
        "Scoring",
        "NUMBER",
        example="0.7",
        default=0.5,
        regex=_FRACTION,
    )
    rules: str | None = _parameter(
        "Rules document",
        "gs:// file with the risk and quality rules. Without it, those of the template apply."
        " Workers read it again when it changes.",
        "Scoring",
        "GCS_READ_FILE",
        or_local=True,
        example="gs://my-bucket/rules.json",
    )
    claim_schema: str | None = _parameter(
        "Claim schema",
        "gs:// file with the JSON Schema of a claim. Without it, that of the template applies.",
        "Scoring",
        "GCS_READ_FILE",
        or_local=True,
        example="gs://my-bucket/claim.schema.json",
    )
    excluded_providers: str | None = _parameter(
        "Excluded providers",
        "gs:// file with the providers excluded from federal programs, as the OIG publishes it"
        " (LEIE, UPDATED.csv), matched by NPI. Workers read it again when it changes.",
        "Signals",
        "GCS_READ_FILE",
        or_local=True,
        example="gs://my-bucket/reference/UPDATED.csv",
    )
    mue_table: str | None = _parameter(
        "Medically unlikely edits",
        "gs:// file with the most units of each procedure, as CMS publishes it (NCCI MUE, CSV)."
        " Workers read it again when it changes.",
        "Signals",
        "GCS_READ_FILE",
        or_local=True,
        example="gs://my-bucket/reference/MCR_MUE_PractitionerServices.csv",
    )
    ptp_edits: str | None = _parameter(
        "Procedure-to-procedure edits",
        "gs:// file, or pattern for its parts, with the procedures that may not be billed together,"
        " as CMS publishes it (NCCI PTP, text). Workers read it again when it changes.",
        "Signals",
        "GCS_READ_FILE",
        or_local=True,
        example="gs://my-bucket/reference/ccipra-*.txt",
    )
    provider_profile: str | None = _parameter(
        "Provider profiles",
        "gs:// file, or pattern for its parts, with the profile of each provider, as claims"
        " profiles and its scheduled query write it. Workers read it again when it changes.",
        "Signals",
        "GCS_READ_FILE",
        or_local=True,
        example="gs://my-bucket/reference/provider_profile-*.csv",
    )
    claim_percentiles: str | None = _parameter(
        "Percentiles of amounts",
        "gs:// file, or pattern for its parts, with the percentiles of claim amounts, as claims"
        " profiles and its scheduled query write it. Workers read it again when it changes.",
        "Signals",
        "GCS_READ_FILE",
        or_local=True,
        example="gs://my-bucket/reference/claim_percentiles-*.csv",
    )
    reference_refresh_minutes: float = _parameter(
        "Minutes between two looks at the files",
        "Minutes after which workers look whether the rules and the files of signals have changed;"
        " 0 reads them once.",
        "Signals",
        "NUMBER",
        example="5",
        default=10.0,
        regex=r"^[0-9]{1,4}([.][0-9]{1,3})?$",
    )
    bigquery_storage_endpoint: str | None = _parameter(
        "BigQuery Storage endpoint",
        "Host of the BigQuery Storage API, for a private endpoint: https://host, https://host:port"
        " or host:port, always over TLS with the worker's credentials, except that a loopback"
        " host:port is a test's, in plaintext.",
        "Advanced",
        example="https://bigquerystorage-example.p.googleapis.com",
        regex=r"^(https://[A-Za-z0-9.-]+(:[0-9]{1,5})?|[A-Za-z0-9.-]+:[0-9]{1,5})$",
        hidden=True,
    )

    @property
    def reference_files(self) -> tuple[tuple[str, str], ...]:
        """The files that workers read again, by parameter."""
        named = ((name, getattr(self, name)) for name in ("rules", *SOURCES_OF_SIGNALS))
        return tuple((name, path) for name, path in named if path)

    @property
    def streaming(self) -> bool:
        """Whether the source is Pub/Sub, and the job a streaming one."""
        return self.input_files is None

    @property
    def csv_dialect(self) -> Dialect:
        """How the rows of CSV files are written."""
        delimiter = "\t" if self.csv_delimiter == "tab" else self.csv_delimiter
        return Dialect(delimiter, self.csv_encoding)


def _declared() -> Iterator[Parameter]:
    types = get_type_hints(Launch)
    for each in fields(Launch):
        declared: Parameter = each.metadata["parameter"]
        kind = next(
            kind for kind in _KINDS if kind in (types[each.name], *get_args(types[each.name]))
        )
        yield replace(declared, name=each.name, type=kind)


PARAMETERS = tuple(_declared())
"""The declarations, in the order of the console."""
DESCRIPTION = (
    "Reads healthcare claims (JSON) from Pub/Sub or files, scores them, and writes them to"
    " BigQuery. Messages that fail go to an error table."
)
EXAMPLES = """\
Beam's own options pass through, such as --runner, --project, --region, --temp_location,
--staging_location, --max_num_workers, --job_name and --update.

examples:
  on this machine, with the emulators' or your own credentials:
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
    """Declare a parameter to argparse."""
    text = parameter.command_line_text.replace("%", "%%")  # a percent sign is argparse's own
    if parameter.default_text:
        text += f" Default: {parameter.default_text}."
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
        raise ParameterError(parameter.name, f"looks like a secret itself. {parameter.text}")
    values = [choice.value for choice in parameter.choices]
    if values and text not in values:
        raise ParameterError(parameter.name, f"must be one of {', '.join(values)}")
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
        names = ", ".join(SOURCES)
        found = f"{' and '.join(sources)} were passed" if sources else "none was passed"
        raise ParameterError(
            sources[0] if sources else SOURCES[0], f"pass exactly one of {names}; {found}"
        )
    if launch.streaming and not FORMATS[launch.input_format].has_messages:
        raise ParameterError("input_format", f"{launch.input_format} needs input_files")
    if launch.output_table.replace(":", ".") == launch.error_table.replace(":", "."):
        raise ParameterError("error_table", "must not be the output_table")
    for name, other in itertools.permutations(("pseudonymise", "pseudonym_key")):
        if getattr(launch, name) and not getattr(launch, other):
            raise ParameterError(other, f"is required with {name}")
    return launch
