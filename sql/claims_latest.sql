-- A view of each claim once: as it came in last.
-- What the claim says of its time decides first, because an old file may be read after newer
-- messages came in. Then the time when Pub/Sub took the message, or the file was written: an old
-- message that is replayed today stays old. Of the lines of a file, the last.
CREATE OR REPLACE VIEW `${CLAIMS_TABLE}_latest` AS
SELECT *
FROM `${CLAIMS_TABLE}`
WHERE processing_timestamp >= '1970-01-01'  -- all; for tables that require a partition filter
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY claim_id
  ORDER BY
    ingest_ts DESC,
    submission_date DESC,
    COALESCE(
      -- Of a line of a file, file#version:offset; the version begins with microseconds since 1970.
      TIMESTAMP_MICROS(
        SAFE_CAST(
          REGEXP_EXTRACT(
            COALESCE(original_message_id, message_id), '^.*#([0-9]{1,17})(?:-[0-9]+)?:[0-9]+'
          ) AS INT64
        )
      ),
      publish_time,
      processing_timestamp
    ) DESC,
    SAFE_CAST(
      REGEXP_EXTRACT(COALESCE(original_message_id, message_id), '^.*:([0-9]+)') AS INT64
    ) DESC,
    processing_timestamp DESC,
    message_id DESC
) = 1
