"""Counts published messages against rows in BigQuery: none lost, none twice."""

from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

_ANSWER_SECONDS = 10


class MessageCounts(NamedTuple):
    """How many messages were published, and what became of them so far."""

    published: int
    claims: int
    """Rows of the claims table."""
    errors: int
    """Rows of the error table."""
    high_risk: int = 0
    """Rows of the claims table that are flagged."""

    @property
    def rows(self) -> int:
        """Messages that have arrived."""
        return self.claims + self.errors

    @property
    def closes(self) -> bool:
        """Whether as many have arrived as were published."""
        return self.rows == self.published

    def __str__(self) -> str:
        sign = "=" if self.closes else "≠"
        claims = f"{self.claims} claim{'s' * (self.claims != 1)}"
        errors = f"{self.errors} error{'s' * (self.errors != 1)}"
        return f"published {self.published} {sign} {claims} + {errors}"


class RowCounter:
    """Counts the rows of the two tables."""

    def __init__(self, client: "Client", claims_table: str, error_table: str) -> None:
        """The tables are `project.dataset.table`; one that does not exist yet counts as empty."""
        from google.cloud.bigquery.retry import DEFAULT_RETRY

        self._client = client
        self._retry = DEFAULT_RETRY.with_timeout(_ANSWER_SECONDS)
        self._sql = f"""
            SELECT
              (SELECT COUNT(*) FROM `{claims_table}`) AS claims,
              (SELECT COUNT(*) FROM `{error_table}`) AS errors,
              (SELECT COUNTIF(high_risk_flag) FROM `{claims_table}`) AS high_risk
            """  # noqa: S608 - names of our own

    def count(self, published: int) -> MessageCounts:
        """The rows now, against the messages published.

        Raises:
            click.ClickException: BigQuery does not answer.
        """
        from google.api_core.exceptions import GoogleAPIError, NotFound
        from requests import RequestException

        try:
            (row,) = self._client.query_and_wait(self._sql, retry=self._retry)
        except NotFound:
            return MessageCounts(published, 0, 0)
        except (GoogleAPIError, RequestException) as error:
            raise click.ClickException(f"BigQuery did not respond: {error}") from None
        return MessageCounts(published, *row.values())
