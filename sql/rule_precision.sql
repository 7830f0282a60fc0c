-- Precision and recall of each risk rule, and of the flag, on labelled claims of the last 30 days.
-- Precision: what share of the claims on which it fired are fraud. Recall: on what share of the
-- fraud it fired. Claims without a label do not count.
WITH labelled AS (
  SELECT
    synthetic_label_is_fraud = 1 AS is_fraud,
    IF(high_risk_flag, ARRAY_CONCAT(risk_reasons, ['(high_risk_flag)']), risk_reasons) AS rules
  FROM `${CLAIMS_TABLE}`
  WHERE
    DATE(processing_timestamp) >= DATE_SUB(CURRENT_DATE(), INTERVAL 30 DAY)
    AND synthetic_label_is_fraud IS NOT NULL
)
SELECT
  rule,
  COUNT(*) AS claims,
  COUNTIF(is_fraud) AS fraud,
  ROUND(COUNTIF(is_fraud) / COUNT(*), 4) AS precision,
  ROUND(SAFE_DIVIDE(COUNTIF(is_fraud), (SELECT COUNTIF(is_fraud) FROM labelled)), 4) AS recall
FROM labelled, UNNEST(rules) AS rule
GROUP BY rule
ORDER BY precision DESC, recall DESC, rule
