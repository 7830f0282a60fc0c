-- Pairs of providers that share many of their patients: the larger the share, the less likely it is due to chance.
-- @min_shared INT64 = 5: Minimum number of shared patients.
-- @min_share FLOAT64 = 0.2: Minimum share of the smaller provider's patients.
WITH patients AS (
  SELECT DISTINCT provider_id, patient_id
  FROM ${CURRENT_CLAIMS}
  WHERE processing_timestamp >= '1970-01-01'
),
sizes AS (
  SELECT provider_id, COUNT(*) AS patients
  FROM patients
  GROUP BY provider_id
),
pairs AS (
  SELECT one.provider_id AS provider, other.provider_id AS other_provider, COUNT(*) AS shared
  FROM patients AS one
  INNER JOIN patients AS other
    ON one.patient_id = other.patient_id AND one.provider_id < other.provider_id
  GROUP BY one.provider_id, other.provider_id
)
SELECT
  pairs.provider AS provider_id,
  pairs.other_provider AS other_provider_id,
  pairs.shared AS shared_patients,
  one.patients AS patients,
  other.patients AS other_patients,
  ROUND(pairs.shared / LEAST(one.patients, other.patients), 4) AS share
FROM pairs
INNER JOIN sizes AS one ON one.provider_id = pairs.provider
INNER JOIN sizes AS other ON other.provider_id = pairs.other_provider
WHERE
  pairs.shared >= @min_shared
  AND pairs.shared / LEAST(one.patients, other.patients) >= @min_share
ORDER BY share DESC, shared_patients DESC, provider_id, other_provider_id
