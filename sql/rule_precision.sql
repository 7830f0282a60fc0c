-- Precision, recall and money of each risk rule, and of the flag, in the last 30 days.
-- Of claims of which it is known whether they were improper: by a disposition, or else by their label.
-- Precision: what share of the claims on which it fired were improper. Recall: on what share of the
-- improper claims it fired. Claims as they stand; others do not count.
WITH judged AS (
  SELECT
    is_improper,
    IF(is_improper, claim_amount, 0) AS improper_amount,
    IFNULL(amount_recovered, 0) AS amount_recovered,
    IF(high_risk_flag, ARRAY_CONCAT(risk_reasons, ['(high_risk_flag)']), risk_reasons) AS rules
  FROM ${JUDGED_CLAIMS}
  WHERE
    DATE(processing_timestamp) >= DATE_SUB(CURRENT_DATE(), INTERVAL 30 DAY)
    AND is_improper IS NOT NULL
)
SELECT
  rule,
  COUNT(*) AS claims,
  COUNTIF(is_improper) AS improper,
  ROUND(COUNTIF(is_improper) / COUNT(*), 4) AS precision,
  ROUND(SAFE_DIVIDE(COUNTIF(is_improper), (SELECT COUNTIF(is_improper) FROM judged)), 4) AS recall,
  SUM(improper_amount) AS improper_amount,
  SUM(amount_recovered) AS amount_recovered
FROM judged, UNNEST(rules) AS rule
GROUP BY rule
ORDER BY precision DESC, recall DESC, rule
