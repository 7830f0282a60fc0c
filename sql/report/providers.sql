-- Providers that stand out from their peers, each with the one reason that sets it apart most.
-- Peers are the other providers of the same specialty, or all other providers if fewer than 5 share it.
-- The distance is how much more often a reason fires on the provider's claims than on its peers', in
-- standard deviations across providers, times what the reason adds to a score on average. Ten claims
-- like the peers' are added to each provider's claims, so that a few claims prove little and, beyond
-- that, only the share counts. Reasons with at least 10 judged claims, of which fewer were improper
-- than of all judged claims, come last.
-- Counts current claims only, without those that were replaced or voided.
WITH scored AS (
  SELECT
    provider_id,
    ${PEERS} AS peers,
    patient_id,
    claim_amount,
    fraud_risk_score,
    high_risk_flag,
    risk_reasons,
    is_improper
  FROM ${JUDGED_CLAIMS}
  WHERE
    processing_timestamp >= '1970-01-01'  -- for tables that require a partition filter
    AND ${CLAIM_TIME} >= @since AND ${CLAIM_TIME} < @until
),
providers AS (
  SELECT
    provider_id,
    MAX(peers) AS peers,
    COUNT(*) AS claims,
    COUNT(DISTINCT patient_id) AS patients,
    SUM(claim_amount) AS total_amount,
    COUNTIF(high_risk_flag) AS high_risk_claims,
    SUM(IF(high_risk_flag, claim_amount, 0)) AS high_risk_amount,
    AVG(fraud_risk_score) AS mean_score
  FROM scored
  GROUP BY provider_id
),
fired AS (
  SELECT
    provider_id,
    reason,
    COUNT(*) AS claims,
    SUM(fraud_risk_score / ARRAY_LENGTH(risk_reasons)) AS added,
    COUNTIF(is_improper IS NOT NULL) AS judged,
    COUNTIF(is_improper) AS improper
  FROM scored, UNNEST(risk_reasons) AS reason
  GROUP BY provider_id, reason
),
reasons AS (
  SELECT
    reason,
    SUM(added) / SUM(claims) AS weight,
    SUM(claims) AS claims,
    (SELECT COUNT(*) FROM scored) AS all_claims,
    SUM(judged) AS judged,
    SUM(improper) AS improper,
    COALESCE(
      SUM(judged) >= 10 AND SAFE_DIVIDE(SUM(improper), SUM(judged)) < (
        SELECT SAFE_DIVIDE(COUNTIF(is_improper), COUNTIF(is_improper IS NOT NULL)) FROM scored
      ),
      FALSE
    ) AS is_weak
  FROM fired
  GROUP BY reason
),
peer_groups AS (
  SELECT peers, COUNT(*) AS providers, SUM(claims) AS claims FROM providers GROUP BY peers
),
peers_fired AS (
  SELECT providers.peers, fired.reason, SUM(fired.claims) AS claims
  FROM fired INNER JOIN providers ON providers.provider_id = fired.provider_id
  GROUP BY providers.peers, fired.reason
),
-- Every reason for every provider: those on whose claims it never fires are peers too.
compared AS (
  SELECT
    providers.provider_id,
    reasons.reason,
    reasons.weight,
    reasons.is_weak,
    reasons.judged,
    reasons.improper,
    COALESCE(fired.claims, 0) AS claims,
    providers.claims AS all_claims,
    COALESCE(
      IF(
        peer_groups.providers < 5,
        SAFE_DIVIDE(
          reasons.claims - COALESCE(fired.claims, 0), reasons.all_claims - providers.claims
        ),
        SAFE_DIVIDE(
          COALESCE(peers_fired.claims, 0) - COALESCE(fired.claims, 0),
          peer_groups.claims - providers.claims
        )
      ),
      1  -- the only provider has no peers to stand out against
    ) AS peer_rate
  FROM providers
  CROSS JOIN reasons
  INNER JOIN peer_groups ON peer_groups.peers = providers.peers
  LEFT JOIN fired ON fired.provider_id = providers.provider_id AND fired.reason = reasons.reason
  LEFT JOIN peers_fired
    ON peers_fired.peers = providers.peers AND peers_fired.reason = reasons.reason
),
excesses AS (
  SELECT *, (claims - all_claims * peer_rate) / (all_claims + 10) AS excess FROM compared
),
spreads AS (
  SELECT reason, STDDEV_POP(excess) + 0.02 AS spread FROM excesses GROUP BY reason
),
distances AS (
  SELECT
    excesses.provider_id,
    excesses.reason,
    excesses.claims,
    excesses.peer_rate,
    excesses.is_weak,
    excesses.judged,
    excesses.improper,
    excesses.weight * excesses.excess / spreads.spread AS distance
  FROM excesses INNER JOIN spreads ON spreads.reason = excesses.reason
  WHERE excesses.claims >= 2 AND excesses.excess > 0
),
standing_out AS (
  SELECT * FROM distances
  WHERE TRUE
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY provider_id ORDER BY is_weak, distance DESC, reason) = 1
)
SELECT
  providers.* EXCEPT (peers, mean_score),
  ROUND(providers.mean_score, 3) AS mean_score,
  ROUND((SELECT APPROX_QUANTILES(mean_score, 100)[SAFE_OFFSET(50)] FROM providers), 3)
    AS typical_score,
  standing_out.reason,
  standing_out.claims AS reason_claims,
  ROUND(standing_out.peer_rate, 4) AS peer_rate,
  standing_out.judged AS reason_judged,
  standing_out.improper AS reason_improper,
  ROUND(standing_out.distance, 3) AS distance
FROM providers
LEFT JOIN standing_out ON standing_out.provider_id = providers.provider_id
WHERE IF(@provider = '', standing_out.reason IS NOT NULL, providers.provider_id = @provider)
ORDER BY standing_out.is_weak, distance DESC, providers.provider_id
LIMIT 15
