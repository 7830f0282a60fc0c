"""The queries of README and docs, run as they stand there."""

import pytest
from google.cloud import bigquery

from pipeline.claims.contract import Contract
from pipeline.claims.tables import TableName, claims_table, errors_table
from pipeline.sinks.bigquery.table_setup import TableSetup
from tests.claims_ops.shared.test_analyst_queries import case
from tests.support.docs.pages import pages

QUERIES = {
    f"{block.place} {number}": query
    for page in pages()
    for block in page.blocks()
    if block.language == "sql"
    for number, query in enumerate(block.text.split("\n\n"), 1)
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_query(query: str, bigquery_client: bigquery.Client, dataset: str):
    claims, errors = (TableName.parse(f"{dataset}.{name}") for name in ("claims", "errors"))
    setup = TableSetup(bigquery_client, create=True)
    setup.ensure(claims, claims_table(Contract.default()))
    setup.ensure(errors, errors_table())
    assert not bigquery_client.insert_rows_json(str(claims), case("claims"))
    assert not bigquery_client.insert_rows_json(str(errors), case("errors"))
    assert "`my-project.claims." in query
    asked = query.replace("my-project.claims.", f"{dataset}.")
    assert list(bigquery_client.query_and_wait(asked))


def test_the_readme_has_queries():
    assert any(place.startswith("README.md") for place in QUERIES)
