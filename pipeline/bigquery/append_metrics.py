"""What the sink counts; pipeline/metrics.py says what each name means."""

from apache_beam.metrics import Metrics

from pipeline.metrics import NAMESPACE, Tally


class AppendTally(Tally):
    """Counts of a bundle, and its distributions, which are told once a request."""

    def latency(self, seconds: float) -> None:
        """Tell the time that an append took."""
        Metrics.distribution(NAMESPACE, "append_latency_ms").update(round(seconds * 1000))

    def in_flight(self, size: int) -> None:
        """Tell what is unanswered just now."""
        Metrics.distribution(NAMESPACE, "in_flight_bytes").update(size)
