-- A view that shows each claim once: the version that arrived last.
-- The claim's own times decide first, because an old file may be read after newer messages have
-- arrived. Next comes the time when Pub/Sub received the message, or when the file was written, so
-- that an old message stays old when it is replayed. Within a file, the last line wins.
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
      -- A line of a file is file#version:offset; the version begins with microseconds since 1970.
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
