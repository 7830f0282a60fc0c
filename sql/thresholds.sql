-- What each threshold would flag: how many claims, what amount, and how often it would be right.
-- If it is known which claims were improper: also precision, recall and the money at stake. A claim is
-- flagged if its score is above the threshold; at_threshold counts claims whose score equals the
-- threshold, which are not flagged.
WITH judged AS (
  SELECT
    fraud_risk_score AS score,
    claim_amount,
    is_improper,
    IF(is_improper, claim_amount, 0) AS improper_amount
  FROM ${JUDGED_CLAIMS}
  WHERE processing_timestamp >= '1970-01-01'
),
scores AS (
  SELECT
    score AS threshold,
    COUNT(*) AS at_threshold,
    COUNTIF(is_improper IS NOT NULL) AS known,
    COUNTIF(is_improper) AS improper,
    SUM(claim_amount) AS amount,
    SUM(improper_amount) AS improper_amount
  FROM judged
  GROUP BY score
),
above AS (
  SELECT
    threshold,
    at_threshold,
    SUM(at_threshold) OVER upwards - at_threshold AS flagged,
    SUM(amount) OVER upwards - amount AS flagged_amount,
    SUM(known) OVER upwards - known AS known,
    SUM(improper) OVER upwards - improper AS improper,
    SUM(improper) OVER everything AS all_improper,
    SUM(improper_amount) OVER upwards - improper_amount AS improper_amount,
    SUM(improper_amount) OVER everything AS all_improper_amount
  FROM scores
  WINDOW
    upwards AS (ORDER BY threshold DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
    everything AS (ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
)
SELECT
  threshold,
  at_threshold,
  flagged,
  flagged_amount,
  ROUND(SAFE_DIVIDE(improper, known), 4) AS precision,
  ROUND(SAFE_DIVIDE(improper, all_improper), 4) AS recall,
  improper_amount AS improper_amount_flagged,
  all_improper_amount - improper_amount AS improper_amount_missed
FROM above
ORDER BY threshold
