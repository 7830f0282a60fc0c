"""The protobuf message of a table's rows: its descriptor, and its class made at run time."""

from collections.abc import Sequence
from functools import cache
from typing import Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from pipeline.claims.contract import Column

_Field = descriptor_pb2.FieldDescriptorProto
_TEXT = _Field.TYPE_STRING
PROTO_TYPES: Final = {
    "STRING": _TEXT,
    "BYTES": _Field.TYPE_BYTES,
    "INTEGER": _Field.TYPE_INT64,
    "FLOAT": _Field.TYPE_DOUBLE,
    "BOOLEAN": _Field.TYPE_BOOL,
    "NUMERIC": _TEXT,
    "BIGNUMERIC": _TEXT,
    "DATE": _Field.TYPE_INT32,
    "TIMESTAMP": _Field.TYPE_INT64,
    "TIME": _TEXT,
    "DATETIME": _TEXT,
    "JSON": _TEXT,
    "GEOGRAPHY": _TEXT,
    "RECORD": _Field.TYPE_MESSAGE,
}
"""BigQuery column type to the proto type of its field."""


def row_descriptor(
    columns: Sequence[Column], *, name: str = "Row", required: bool = False
) -> descriptor_pb2.DescriptorProto:
    """The self-contained proto2 message of a table's rows; field numbers follow the columns.

    Args:
        columns: the table's columns, in an order that stays.
        name: of the message.
        required: label REQUIRED columns so. The writer schema leaves it out: what lacks a value is
            for the table to judge, and a column may be relaxed while we run.

    Raises:
        ValueError: a column has a type that BigQuery does not have.
    """
    row = descriptor_pb2.DescriptorProto(name=name)
    for number, column in enumerate(columns, 1):
        if column.type not in PROTO_TYPES:
            raise ValueError(f"column {column.name}: unknown type {column.type}")
        field = row.field.add(name=column.name, number=number, type=PROTO_TYPES[column.type])
        field.label = _Field.LABEL_OPTIONAL
        if column.mode == "REPEATED":
            field.label = _Field.LABEL_REPEATED
        elif required and column.mode == "REQUIRED":
            field.label = _Field.LABEL_REQUIRED
        if column.type == "RECORD":
            # A type shares its scope with the columns: its name must be none of theirs.
            field.type_name = f"{column.name.title()}Record{number}_"
            nested = row_descriptor(column.fields, name=field.type_name, required=required)
            row.nested_type.add().CopyFrom(nested)
    return row


def message_class(descriptor: descriptor_pb2.DescriptorProto) -> type[Message]:
    """The message class of a descriptor, in a pool of its own.

    It is the same for equal descriptors, and kept for good: once pools are freed, protobuf may
    crash the process when it reads a nested message (its issue 12047).
    """
    return _message_class(descriptor.SerializeToString(deterministic=True))


@cache
def _message_class(descriptor: bytes) -> type[Message]:
    file = descriptor_pb2.FileDescriptorProto(
        name="row.proto", package="claims_pipeline", syntax="proto2"
    )
    row = file.message_type.add()
    row.ParseFromString(descriptor)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName(f"claims_pipeline.{row.name}")
    made: type[Message] = message_factory.GetMessageClass(found)
    return made
