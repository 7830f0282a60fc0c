-- The lines of the current claims, one row per line.
-- A line without dates, a place of service or a rendering NPI of its own takes those of its claim. A
-- claim without lines has no row.
SELECT
  claim.claim_id,
  claim.payer_id,
  claim.patient_id,
  claim.provider_id,
  claim.provider_specialty,
  claim.provider_region,
  claim.billing_npi,
  claim.facility_npi,
  claim.claim_type,
  claim.claim_status,
  claim.submission_date,
  claim.diagnosis_codes,
  place + 1 AS line_place,
  line.line_number,
  line.procedure_code,
  line.modifiers,
  line.revenue_code,
  line.units,
  line.charge_amount,
  line.allowed_amount,
  line.paid_amount,
  COALESCE(line.service_date, claim.service_date) AS service_date,
  COALESCE(line.service_end_date, line.service_date, claim.service_end_date, claim.service_date)
    AS service_end_date,
  COALESCE(line.place_of_service, claim.place_of_service) AS place_of_service,
  COALESCE(line.rendering_npi, claim.rendering_npi) AS rendering_npi,
  line.diagnosis_pointers,
  line.ndc,
  claim.fraud_risk_score,
  claim.high_risk_flag,
  claim.processing_timestamp
FROM `${CLAIMS_TABLE}_current` AS claim, UNNEST(claim.service_lines) AS line WITH OFFSET AS place
