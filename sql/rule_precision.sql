-- Precision, recall and amounts for each risk rule, and for the flag, over the last 30 days.
-- Counts current claims known to be improper or proper, from a disposition or, without one, a label.
-- Precision is the share of the claims on which the rule fired that were improper; recall is the share
-- of the improper claims on which it fired.
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
