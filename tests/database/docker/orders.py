"""Customers of a database with standbys: PHP programs that order, each order a transaction over three tables on a
connection of its own, and that keep account of what was acknowledged."""

import dataclasses
import itertools
import time
from typing import Any

from tests.database.docker.standbys import CA, Database
from tests.support import docker_client, image
from tests.waiting import until

CUSTOMERS = 4
PRODUCTS = 10
STOCK = 1_000_000
"""Pieces of each product at the beginning."""
TABLES = (
    "CREATE TABLE orders (id CHAR(16) PRIMARY KEY, product INT NOT NULL)",
    "CREATE TABLE order_lines (order_id CHAR(16) NOT NULL REFERENCES orders (id), line INT NOT NULL, "
    "PRIMARY KEY (order_id, line))",
    "CREATE TABLE stock (product INT PRIMARY KEY, pieces INT NOT NULL)",
    "INSERT INTO stock VALUES " + ", ".join(f"({one}, {STOCK})" for one in range(PRODUCTS)),
)
DSN = {
    "MYSQL": "mysql:host=db-pooler;port=3306;dbname=app;charset=utf8mb4",
    "POSTGRESQL": f"pgsql:host=db-pooler;port=6432;dbname=app;sslmode=verify-full;sslrootcert={CA}/ca.crt",
}
UNLESS_THERE = {
    "MYSQL": "INSERT IGNORE INTO orders VALUES (?, ?)",
    "POSTGRESQL": "INSERT INTO orders VALUES (?, ?) ON CONFLICT DO NOTHING",
}
# An order that failed is sent again with the same key, as a customer does; pieces of one are taken once.
CUSTOMER = """\
$options = [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION];
if (str_starts_with(getenv('DSN'), 'mysql')) $options[PDO::MYSQL_ATTR_SSL_CA] = getenv('CA');
$key = null;
while (!file_exists('/tmp/stop')) {
    $key ??= bin2hex(random_bytes(8));
    $product = hexdec($key[0]) % (int) getenv('PRODUCTS');
    try {
        $database = new PDO(getenv('DSN'), getenv('DB_USERNAME'), getenv('DB_PASSWORD'), $options);
        $database->beginTransaction();
        $order = $database->prepare(getenv('UNLESS_THERE'));
        $order->execute([$key, $product]);
        if ($order->rowCount() === 1) {
            foreach ([1, 2] as $line)
                $database->prepare('INSERT INTO order_lines VALUES (?, ?)')->execute([$key, $line]);
            $database->prepare('UPDATE stock SET pieces = pieces - 1 WHERE product = ?')->execute([$product]);
        }
        $database->commit();
        printf("ok %s %.3f\\n", $key, microtime(true));
        $key = null;
    } catch (PDOException $error) {
        printf("failed %s %.3f %s\\n", $key, microtime(true), strtr($error->getMessage(), "\\n", ' '));
    }
    $database = $order = null;
    usleep(20000);
}
"""


@dataclasses.dataclass
class Orders:
    """What customers saw, and what the database has of it."""

    acknowledged: int
    failed: list[str]
    lost: list[str]
    """Keys of orders that were acknowledged and are not there."""
    torn: int
    """Orders without both of their lines, and products whose stock is not that of their orders."""


class Customers:
    """They order until the end of the `with` block."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.containers: list[Any] = []

    def __enter__(self) -> "Customers":
        outputs, engine = self.database.outputs, self.database.words.engine
        environment = {
            "DSN": DSN[engine],
            "UNLESS_THERE": UNLESS_THERE[engine],
            "PRODUCTS": str(PRODUCTS),
            "CA": f"{CA}/ca.crt",
            "DB_USERNAME": outputs["user"],
            "DB_PASSWORD": outputs["password"],
        }
        for _ in range(CUSTOMERS):
            container = docker_client().containers.run(
                image("php:8.4"),
                entrypoint=["php", "-r", CUSTOMER],
                environment=environment,
                network=f"{self.database.name}-db",
                volumes={f"{self.database.name}-db-ca": {"bind": CA, "mode": "ro"}},
                init=True,
                detach=True,
            )
            self.containers.append(container)
            self.database.clients.append(container)
        self.until_ordered(time.time())
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.containers:
            self.database.clients.remove(one)
            one.remove(force=True)

    def lines(self, tail: int | str = "all") -> list[list[str]]:
        texts = [one.logs(tail=tail).decode() for one in self.containers]
        return [line.split(" ", 3) for text in texts for line in text.splitlines()]

    def acknowledged(self, since: float) -> list[float]:
        """When orders were acknowledged (seconds since 1970), in order."""
        return sorted(float(one[2]) for one in self.lines() if one[0] == "ok" and float(one[2]) > since)

    def until_ordered(self, moment: float) -> None:
        """Wait for an order that was acknowledged after `moment` (seconds since 1970)."""

        def reached() -> bool:
            return any(one[0] == "ok" and float(one[2]) > moment for one in self.lines(tail=1))

        until(lambda: f"orders: {self.lines(tail=2)}", reached, 180, every=0.2)

    def pause(self, since: float) -> tuple[float, float]:
        """The longest time after `since` without an acknowledged order: its length in seconds, and when it ended."""
        times = [since, *self.acknowledged(since)]
        return max((later - earlier, later) for earlier, later in itertools.pairwise(times))

    def end(self) -> Orders:
        """Let every customer finish, and compare."""
        for one in self.containers:
            one.exec_run(["touch", "/tmp/stop"])
        for one in self.containers:
            one.wait()
        lines, database = self.lines(), self.database
        known = [one[1] for one in lines if one[0] == "ok"]
        there = set(database.query("SELECT id FROM orders").split())
        torn = database.query(
            "SELECT (SELECT COUNT(*) FROM orders o WHERE 2 <> (SELECT COUNT(*) FROM order_lines l WHERE l.order_id = "
            f"o.id)) + (SELECT COUNT(*) FROM stock s WHERE {STOCK} - s.pieces <> (SELECT COUNT(*) FROM orders o WHERE "
            "o.product = s.product))"
        )
        failed = [" ".join(one[3:]) for one in lines if one[0] == "failed"]
        return Orders(len(known), failed, [one for one in known if one not in there], int(torn))
