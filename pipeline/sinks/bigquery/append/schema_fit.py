"""The writer schema while the table changes: missing columns are left out, and restored later."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import grpc
from google.cloud.bigquery_storage_v1 import types
from google.protobuf import descriptor_pb2

from pipeline.claims.contract import Column
from pipeline.sinks.bigquery.append.channel import GET_WRITE_STREAM, routing_header
from pipeline.sinks.bigquery.encode.row_schema import message_class, row_descriptor

LOOK_UP_SECONDS: Final = 30.0


class SchemaFit:
    """The writer schema for a table that may lack some of our columns. Immutable."""

    def __init__(self, columns: Sequence[Column], table_fields: Sequence[Any] = ()) -> None:
        """Leave out what the table lacks.

        Args:
            columns: ours.
            table_fields: the table's, as `TableFieldSchema`; empty if they are not known.
        """
        self.columns = columns
        self.descriptor = row_descriptor(columns)
        self.left_out: tuple[str, ...] = ()
        """Columns that the table lacks; of a RECORD's column as `record.column`."""
        if table_fields:
            self.left_out = tuple(_leave_out(self.descriptor, table_fields))
        self.since = time.monotonic()
        """When the table was found so (CLOCK_MONOTONIC)."""
        self._message_class = message_class(self.descriptor) if self.left_out else None

    def holds(self, data: bytes) -> bool:
        """Whether an encoded row has no value in a column that is left out."""
        if self._message_class is None:
            return True
        message: Any = self._message_class.FromString(data)
        message.DiscardUnknownFields()
        return len(message.SerializePartialToString()) == len(data)


def table_fields(
    channel: grpc.Channel, stream: str, timeout_seconds: float = LOOK_UP_SECONDS
) -> Sequence[Any]:
    """The columns that a table has now, as `TableFieldSchema`, by the name of its default stream.

    grpc.RpcError when the service does not tell.
    """
    request = types.GetWriteStreamRequest.pb()(name=stream, view=types.WriteStreamView.FULL)
    look_up = channel.unary_unary(
        GET_WRITE_STREAM,
        request_serializer=type(request).SerializeToString,
        response_deserializer=types.WriteStream.pb().FromString,
    )
    found = look_up(request, timeout=timeout_seconds, metadata=(routing_header("name", stream),))
    fields: Sequence[Any] = found.table_schema.fields
    return fields


def _leave_out(
    descriptor: descriptor_pb2.DescriptorProto, table_fields: Sequence[Any], prefix: str = ""
) -> Iterator[str]:
    """Remove from a descriptor what a table lacks, and name it. Column names know no case."""
    present = {field.name.lower(): field for field in table_fields}
    nested = {record.name: record for record in descriptor.nested_type}
    for field in list(descriptor.field):
        found = present.get(field.name.lower())
        if found is None:
            descriptor.field.remove(field)
            yield prefix + field.name
        elif field.type_name:
            yield from _leave_out(nested[field.type_name], found.fields, f"{prefix}{field.name}.")
