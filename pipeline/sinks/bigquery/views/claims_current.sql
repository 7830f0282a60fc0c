-- The current claims: each claim once, with replacements and voids applied.
-- Reads the rows that were processed in a time range. A claim is hidden once another one names it as
-- its original, whichever arrived first; if several name the same original, the newest is current; a
-- void is never current. The newest is the one submitted last, then the one that Pub/Sub received
-- last, then the one processed last; of lines of a file that were processed together, the last line.
-- `superseded_claim_ids` lists the claims that a row supersedes. IDs are compared within a payer,
-- ignoring case and spaces; an original of spaces alone names none. Originals are followed through
-- chains of up to sixteen claims.
WITH versions AS (
  SELECT
    stored.*,
    -- What is left holds no space, so that a line feed can stand between payer and claim.
    LOWER(
      CONCAT(
        REGEXP_REPLACE(IFNULL(payer_id, ''), r'\s', ''), '\n', REGEXP_REPLACE(claim_id, r'\s', '')
      )
    ) AS _claim,
    LOWER(
      CONCAT(
        REGEXP_REPLACE(IFNULL(payer_id, ''), r'\s', ''),
        '\n',
        NULLIF(REGEXP_REPLACE(original_claim_id, r'\s', ''), '')
      )
    ) AS _original,
    COALESCE(
      NULLIF(TRIM(claim_frequency_code), ''),
      IF(REGEXP_CONTAINS(bill_type, r'^0?[0-9]{3}\z'), RIGHT(bill_type, 1), NULL),
      IF(NULLIF(REGEXP_REPLACE(original_claim_id, r'\s', ''), '') IS NULL, '1', '7')
    ) AS _frequency,
    SAFE_CAST(
      REGEXP_EXTRACT(COALESCE(original_message_id, message_id), '^.*:([0-9]+)') AS INT64
    ) AS _offset
  FROM `${CLAIMS_TABLE}` AS stored
  WHERE processing_timestamp >= @since AND processing_timestamp < @until
),
-- The original that the newest row of each replacement and void names.
parents AS (
  SELECT _claim AS child, _original AS parent
  FROM versions
  WHERE _frequency IN ('7', '8') AND _original <> _claim
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY _claim
    ORDER BY
      COALESCE(submission_date, DATE(publish_time), DATE(processing_timestamp)) DESC,
      COALESCE(publish_time, processing_timestamp) DESC,
      processing_timestamp DESC,
      _offset DESC,
      claim_index DESC,
      message_id DESC
  ) = 1
),
chains AS (
  SELECT
    p1.child,
    IF(
      p1.child IN (p2.parent, p3.parent, p4.parent, p5.parent, p6.parent, p7.parent, p8.parent),
      -- Claims that name each other in a circle have eight parents: some of them come twice.
      LEAST(
        p1.parent, p2.parent, p3.parent, p4.parent, p5.parent, p6.parent, p7.parent, p8.parent
      ),
      COALESCE(
        p8.parent, p7.parent, p6.parent, p5.parent, p4.parent, p3.parent, p2.parent, p1.parent
      )
    ) AS first,
    p8.parent AS eighth,
    IFNULL(
      p1.child IN (p2.parent, p3.parent, p4.parent, p5.parent, p6.parent, p7.parent, p8.parent),
      FALSE
    ) AS is_circle
  FROM parents AS p1
  LEFT JOIN parents AS p2 ON p2.child = p1.parent
  LEFT JOIN parents AS p3 ON p3.child = p2.parent
  LEFT JOIN parents AS p4 ON p4.child = p3.parent
  LEFT JOIN parents AS p5 ON p5.child = p4.parent
  LEFT JOIN parents AS p6 ON p6.child = p5.parent
  LEFT JOIN parents AS p7 ON p7.child = p6.parent
  LEFT JOIN parents AS p8 ON p8.child = p7.parent
),
named AS (SELECT DISTINCT parent FROM parents),
members AS (
  SELECT
    versions.*,
    COALESCE(further.first, chains.first, versions._claim) AS _chain,
    CASE WHEN named.parent IS NULL THEN 0 WHEN chains.is_circle THEN 1 ELSE 2 END AS _hidden
  FROM versions
  LEFT JOIN chains ON chains.child = versions._claim
  LEFT JOIN chains AS further ON further.child = chains.eighth
  LEFT JOIN named ON named.parent = versions._claim
),
ranked AS (
  SELECT
    *,
    ROW_NUMBER() OVER newest_first AS _place,
    FIRST_VALUE(_claim) OVER newest_first AS _standing
  FROM members
  WINDOW newest_first AS (
    PARTITION BY _chain
    ORDER BY
      _hidden,
      IF(_frequency IN ('7', '8'), 0, 1),
      COALESCE(submission_date, DATE(publish_time), DATE(processing_timestamp)) DESC,
      COALESCE(publish_time, processing_timestamp) DESC,
      processing_timestamp DESC,
      _offset DESC,
      claim_index DESC,
      message_id DESC
  )
),
superseded AS (
  SELECT _chain, ARRAY_AGG(DISTINCT claim_id ORDER BY claim_id) AS superseded_claim_ids
  FROM ranked
  WHERE _claim <> _standing
  GROUP BY _chain
)
SELECT
  ranked.* EXCEPT (
    _claim, _original, _frequency, _offset, _chain, _hidden, _place, _standing
  ),
  IFNULL(superseded.superseded_claim_ids, []) AS superseded_claim_ids
FROM ranked
LEFT JOIN superseded ON superseded._chain = ranked._chain
WHERE ranked._place = 1 AND ranked._hidden < 2 AND ranked._frequency <> '8'
