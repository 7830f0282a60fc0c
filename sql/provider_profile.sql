-- The profile of each provider as of a day, one row per provider; workers look up signals in it.
-- Windows are days of service before ${AS_OF}, a DATE. A percentile is (rank - 0.5) / n among the n
-- providers of the same specialty and region, or among all providers if these are fewer than 5. Because
-- 0.99 takes 50 peers, leading a small group is not enough to stand out.
WITH recent_claims AS (
  SELECT
    provider_id,
    COALESCE(provider_specialty, '') AS specialty,
    COALESCE(provider_region, '') AS region,
    claim_id,
    patient_id,
    service_date,
    claim_amount,
    DATE_DIFF(service_end_date, COALESCE(admission_date, service_date), DAY) AS stay,
    ARRAY_TO_STRING(procedure_codes, ' ') AS codes,
    DATE_DIFF(${AS_OF}, service_date, DAY) AS age
  FROM ${CURRENT_CLAIMS}
  WHERE
    processing_timestamp >= '1970-01-01'  -- all; for tables that require a partition filter
    AND service_date <= ${AS_OF}
    AND service_date > DATE_SUB(${AS_OF}, INTERVAL 180 DAY)
),
providers AS (
  SELECT
    provider_id,
    MAX(specialty) AS specialty,
    MAX(region) AS region,
    SUM(IF(age < 30, claim_amount, 0)) AS amount_30d,
    SUM(IF(age < 90, claim_amount, 0)) AS amount_90d,
    COUNTIF(age < 30) AS claims_30d,
    COUNT(DISTINCT IF(age < 90, patient_id, NULL)) AS patients_90d,
    COUNTIF(age < 90) / NULLIF(COUNT(DISTINCT IF(age < 90, patient_id, NULL)), 0)
      AS claims_per_patient,
    MAX(IF(age < 90, stay, NULL)) AS longest_stay_90d,
    -- The last 90 days against the 90 days before; null without the latter.
    SUM(IF(age < 90, claim_amount, 0)) / NULLIF(SUM(IF(age >= 90, claim_amount, 0)), 0) AS growth,
    -- Share of the claims of 90 days that repeat another's patient, day and procedures, but not its ID.
    1 - COUNT(DISTINCT IF(
      age < 90, CONCAT(patient_id, '|', CAST(service_date AS STRING), '|', codes), NULL
    )) / NULLIF(COUNT(DISTINCT IF(age < 90, claim_id, NULL)), 0) AS duplicate_share
  FROM recent_claims
  GROUP BY provider_id
),
measures AS (
  SELECT
    p.provider_id,
    m.name,
    m.value,
    CONCAT(p.specialty, '|', p.region) AS peers
  FROM providers AS p
  CROSS JOIN UNNEST([
    STRUCT('amount_30d' AS name, CAST(p.amount_30d AS FLOAT64) AS value),
    STRUCT('amount_90d', CAST(p.amount_90d AS FLOAT64)),
    STRUCT('claims_30d', CAST(p.claims_30d AS FLOAT64)),
    STRUCT('patients_90d', CAST(p.patients_90d AS FLOAT64)),
    STRUCT('claims_per_patient', CAST(p.claims_per_patient AS FLOAT64)),
    STRUCT('longest_stay_90d', CAST(p.longest_stay_90d AS FLOAT64)),
    STRUCT('growth', CAST(p.growth AS FLOAT64))
  ]) AS m
  WHERE m.value IS NOT NULL
),
percentiles AS (
  SELECT
    provider_id,
    name,
    IF(
      COUNT(*) OVER (PARTITION BY name, peers) >= 5,
      (RANK() OVER (PARTITION BY name, peers ORDER BY value) - 0.5)
      / COUNT(*) OVER (PARTITION BY name, peers),
      (RANK() OVER (PARTITION BY name ORDER BY value) - 0.5) / COUNT(*) OVER (PARTITION BY name)
    ) AS percentile
  FROM measures
),
standing AS (
  SELECT
    provider_id,
    MAX(IF(name = 'amount_30d', percentile, NULL)) AS amount_30d_percentile,
    MAX(IF(name = 'amount_90d', percentile, NULL)) AS amount_90d_percentile,
    MAX(IF(name = 'claims_30d', percentile, NULL)) AS claims_30d_percentile,
    MAX(IF(name = 'patients_90d', percentile, NULL)) AS patients_90d_percentile,
    MAX(IF(name = 'claims_per_patient', percentile, NULL)) AS claims_per_patient_percentile,
    MAX(IF(name = 'longest_stay_90d', percentile, NULL)) AS longest_stay_90d_percentile,
    MAX(IF(name = 'growth', percentile, NULL)) AS growth_percentile
  FROM percentiles
  GROUP BY provider_id
)
SELECT
  p.provider_id,
  ${AS_OF} AS as_of,
  p.amount_30d,
  p.amount_90d,
  p.claims_30d,
  p.patients_90d,
  p.claims_per_patient,
  p.longest_stay_90d,
  p.growth,
  s.amount_30d_percentile,
  s.amount_90d_percentile,
  s.claims_30d_percentile,
  s.patients_90d_percentile,
  s.claims_per_patient_percentile,
  s.longest_stay_90d_percentile,
  s.growth_percentile,
  p.duplicate_share
FROM providers AS p
INNER JOIN standing AS s ON s.provider_id = p.provider_id
ORDER BY p.provider_id
