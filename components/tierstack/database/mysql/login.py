"""How MySQL's client logs in through HAProxy. Pure."""

from tierstack.database.engine import SECRETS
from tierstack.database.login import Client

CLIENT_FILE = f"{SECRETS}/client.cnf"
"""Where the client finds user, password, and how it verifies the server."""

MYSQL_CLIENT = Client(
    program=f'mysql --defaults-file={CLIENT_FILE} --host="$1"',
    query='--batch --skip-column-names --execute="SELECT 1"',
    refusals=(
        "Access denied",
        "Unknown database",
        "SSL connection error",
        "certificate verify failed",
        "insecure transport are prohibited",
        "is not allowed to connect",
    ),
)
"""Its target is the host of the proxy. One without a server says `Lost connection`."""
