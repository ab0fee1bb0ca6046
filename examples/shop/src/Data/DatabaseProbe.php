<?php

declare(strict_types=1);

namespace Shop\Data;

use RuntimeException;
use Shop\Config;

/**
 * Asks the database within a bound, on a connection of its own. PDO has no time-out while it waits for an answer, and a
 * pooler lets a client wait as long as there is no server.
 */
final class DatabaseProbe
{
    public function __construct(private readonly Config $config)
    {
    }

    /**
     * @param float $seconds for everything: connecting, TLS, login and the answer
     *
     * @return list<array<string, ?string>> rows
     *
     * @throws RuntimeException when there is no answer in time, or none but an error
     */
    public function ask(string $sql, float $seconds): array
    {
        $deadline = microtime(true) + $seconds;
        $connection = @pg_connect($this->address(), PGSQL_CONNECT_ASYNC | PGSQL_CONNECT_FORCE_NEW);
        if ($connection === false) {
            throw new RuntimeException('no connection');
        }
        try {
            while (($state = @pg_connect_poll($connection)) !== PGSQL_POLLING_OK) {
                if ($state === PGSQL_POLLING_FAILED) {
                    throw new RuntimeException('no connection');
                }
                self::await($connection, $state === PGSQL_POLLING_WRITING, $deadline);
            }
            if (!@pg_send_query($connection, $sql)) {
                throw new RuntimeException('the connection is lost');
            }
            while (@pg_connection_busy($connection)) {
                self::await($connection, false, $deadline);
                if (!@pg_consume_input($connection)) {
                    throw new RuntimeException('the connection is lost');
                }
            }
            $result = @pg_get_result($connection);
            if ($result === false || pg_result_status($result) !== PGSQL_TUPLES_OK) {
                $code = $result === false ? null : pg_result_error_field($result, PGSQL_DIAG_SQLSTATE);
                throw new RuntimeException("it answered with the error $code");
            }
            return pg_fetch_all($result);
        } finally {
            pg_close($connection);
        }
    }

    private static function await(\PgSql\Connection $connection, bool $writing, float $deadline): void
    {
        $left = $deadline - microtime(true);
        $socket = pg_socket($connection);
        if ($left <= 0 || $socket === false) {
            throw new RuntimeException('no answer in time');
        }
        [$read, $write, $none] = [$writing ? [] : [$socket], $writing ? [$socket] : [], []];
        if (stream_select($read, $write, $none, 0, (int) ceil($left * 1_000_000)) === 0) {
            throw new RuntimeException('no answer in time');
        }
    }

    private function address(): string
    {
        $parts = [
            'host' => $this->config->require('DB_HOST'),
            'port' => $this->config->get('DB_PORT', '5432'),
            'dbname' => $this->config->require('DB_DATABASE'),
            'user' => $this->config->require('DB_USERNAME'),
            'password' => $this->config->require('DB_PASSWORD'),
            'sslmode' => $this->config->get('DB_SSLMODE'),
        ];
        $quoted = static fn (string $value): string => "'" . addcslashes($value, "'\\") . "'";
        $given = array_filter($parts, is_string(...));
        return implode(' ', array_map(static fn (string $key): string => "$key={$quoted($given[$key])}", array_keys($given)));
    }
}
