"""The metrics of the sink; Beam knows them by step, so that both tables have the same names."""

from apache_beam.metrics import Metrics

from pipeline.metrics import NAMESPACE, Metric, Tally

APPEND_METRICS = (
    Metric("rows_written", "Rows that BigQuery acknowledged."),
    Metric("bytes_written", "Encoded bytes of these rows."),
    Metric("append_requests", "Append requests sent, tries again included."),
    Metric("append_retries_{reason}", "Append requests that had to be sent again, by cause."),
    # Refused rows count as `rejected_write_{error_code}`, as those of the other steps do.
    Metric("append_latency_ms", "Distribution: from sending a request to its answer."),
    Metric("in_flight_bytes", "Distribution: unanswered bytes of the table, at each request."),
)


class AppendTally(Tally):
    """Counts of a bundle, and its distributions, which are told once a request."""

    def latency(self, seconds: float) -> None:
        """Tell the time that an append took."""
        Metrics.distribution(NAMESPACE, "append_latency_ms").update(round(seconds * 1000))

    def in_flight(self, size: int) -> None:
        """Tell what is unanswered just now."""
        Metrics.distribution(NAMESPACE, "in_flight_bytes").update(size)
