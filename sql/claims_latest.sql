-- A view of each claim once: as it came in last.
-- Newest is what Pub/Sub took last: an old message that is replayed today stays old.
CREATE OR REPLACE VIEW `${CLAIMS_TABLE}_latest` AS
SELECT *
FROM `${CLAIMS_TABLE}`
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY claim_id
  ORDER BY
    COALESCE(publish_time, processing_timestamp) DESC, processing_timestamp DESC, message_id DESC
) = 1
