"""How PostgreSQL's client logs in through PgBouncer. Pure."""

from tierstack.database.login import Client

PSQL = Client(
    program='psql "$1"',
    query='-Xqwtc "SELECT 1"',
    # What libpq, PostgreSQL and PgBouncer say. A pooler without a server says `query_wait_timeout`.
    refusals=(
        "password authentication failed",
        "SASL authentication failed",
        "no pg_hba.conf entry",
        "certificate verify failed",
        "does not match host name",
        "does not support SSL",
        "SSL required",
        "no such database",
        "does not exist",
    ),
)
"""Its target is a connection string."""
