-- A view that shows each message once, even if the pipeline wrote it twice or it was replayed twice.
-- For a message that holds several claims, it shows each claim once.
-- A claim that its producer sent twice is two messages, so the view shows it twice.
CREATE OR REPLACE VIEW `${CLAIMS_TABLE}_deduplicated` AS
SELECT *
FROM `${CLAIMS_TABLE}`
WHERE processing_timestamp >= '1970-01-01'  -- all; for tables that require a partition filter
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY COALESCE(original_message_id, message_id, GENERATE_UUID()), claim_index
  ORDER BY processing_timestamp DESC
) = 1
