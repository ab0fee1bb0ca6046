<?php

declare(strict_types=1);

namespace Shop\Data;

use PDO;
use PDOException;
use PDOStatement;
use Shop\Config;

/**
 * PostgreSQL. Requests and jobs go through the pooler (DB_HOST); migrations use the direct endpoint (DB_DIRECT_HOST).
 *
 * In transaction pooling every statement may run on another server connection, so nothing here keeps session state:
 * prepared statements are emulated by PDO, and no SET or session lock is used on the pooler.
 */
final class Database
{
    // What libpq says of a broken connection, without and with TLS.
    private const LOST = '/server closed the connection|no connection to the server|connection not open'
        . '|SSL (SYSCALL )?error|SSL connection has been closed/';
    // Seconds: longer than a planned switchover on a busy cluster (19.5 s seen), shorter than PgBouncer's query_wait_timeout
    // (30 s) and than a request may take. The bulkhead bounds how many children wait.
    private const PATIENCE = 25.0;
    private const LONGEST_PAUSE = 0.4; // seconds before a statement is sent again

    private ?PDO $pdo = null;
    private bool $inTransaction = false; // PDO's own answer is "yes" for a broken connection

    private function __construct(
        private readonly Config $config,
        private readonly bool $direct,
        private readonly bool $persistent,
        private readonly ?Bulkhead $bulkhead = null,
    ) {
    }

    /** @param ?Bulkhead $bulkhead for processes that must not all wait for the database */
    public static function pooled(Config $config, bool $persistent = false, ?Bulkhead $bulkhead = null): self
    {
        return new self($config, false, $persistent, $bulkhead);
    }

    public static function direct(Config $config): self
    {
        return new self($config, true, false);
    }

    /**
     * Runs one statement. While its connection breaks or none is to be had (a failover, a restart), it is sent again, so
     * every statement given here must be safe to repeat. PgBouncer makes old clients wait for a server that is away, but
     * refuses new ones at once. What must answer soon, such as a check of the health, asks a DatabaseProbe.
     *
     * @param array<string, scalar|null> $values
     */
    public function run(string $sql, array $values = []): PDOStatement
    {
        $deadline = microtime(true) + self::PATIENCE;
        $pause = 0.0;
        while (true) {
            try {
                $statement = $this->connection()->prepare($sql);
                $statement->execute($values);
                return $statement;
            } catch (PDOException $error) {
                if ($this->inTransaction || !self::isAway($error) || microtime(true) + $pause > $deadline) {
                    throw $error;
                }
                $this->pdo = null;
                usleep((int) ($pause * 1_000_000));
                $pause = min(self::LONGEST_PAUSE, 2 * $pause + 0.05);
            }
        }
    }

    /** @param array<string, scalar|null> $values */
    public function row(string $sql, array $values = []): ?array
    {
        $row = $this->run($sql, $values)->fetch(PDO::FETCH_ASSOC);
        return $row === false ? null : $row;
    }

    /** Runs $work in one transaction and returns what it returns. Not repeated. */
    public function transaction(callable $work): mixed
    {
        $connection = $this->connection();
        $connection->beginTransaction();
        $this->inTransaction = true;
        try {
            $result = $work($this);
            $connection->commit();
            return $result;
        } catch (\Throwable $error) {
            try {
                $connection->rollBack();
            } catch (PDOException) {
                $this->pdo = null; // the connection is gone, and with it the transaction
            }
            throw $error;
        } finally {
            $this->inTransaction = false;
        }
    }

    /** Runs statements as they are, for migrations. */
    public function script(string $sql): void
    {
        $this->connection()->exec($sql);
    }

    public function forget(): void
    {
        $this->pdo = null;
    }

    /**
     * Whether the failure is the server's state and not the statement: trying again later may work.
     * SQLSTATE classes by appendix A of the manual: 08 connection, 40 rollback, 53 resources, 57P shutdown, 25006 read-only.
     */
    public static function isTransient(PDOException $error): bool
    {
        return self::isConnectionLost($error) || preg_match('/^(40|53|25006)/', (string) $error->getCode()) === 1;
    }

    /** Whether no server takes the statement now: the connection is lost, or leads to a server that is primary no more. */
    private static function isAway(PDOException $error): bool
    {
        return self::isConnectionLost($error) || (string) $error->getCode() === '25006';
    }

    private static function isConnectionLost(PDOException $error): bool
    {
        // libpq reports a connection that broke in mid-query as status 7, with the reason only in words.
        return preg_match('/^(08|57P|7$)/', (string) $error->getCode()) === 1
            || preg_match(self::LOST, $error->getMessage()) === 1;
    }

    private function connection(): PDO
    {
        if ($this->bulkhead?->open() === false) {
            throw new DatabaseAway('the database is away');
        }
        if ($this->pdo === null) {
            $host = ($this->direct ? $this->config->get('DB_DIRECT_HOST') : null) ?? $this->config->require('DB_HOST');
            $port = ($this->direct ? $this->config->get('DB_DIRECT_PORT') : null) ?? $this->config->get('DB_PORT', '5432');
            $dsn = "pgsql:host=$host;port=$port;dbname={$this->config->require('DB_DATABASE')};connect_timeout=3";
            if ($mode = $this->config->get('DB_SSLMODE')) {
                $dsn .= ";sslmode=$mode";
            }
            $this->pdo = new PDO($dsn, $this->config->require('DB_USERNAME'), $this->config->require('DB_PASSWORD'), [
                PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
                PDO::ATTR_EMULATE_PREPARES => true,
                // A web process keeps its pooler connection: no handshake per request. The pooler sees one client per child.
                PDO::ATTR_PERSISTENT => $this->persistent,
            ]);
        }
        return $this->pdo;
    }
}
