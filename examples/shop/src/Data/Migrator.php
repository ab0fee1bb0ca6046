<?php

declare(strict_types=1);

namespace Shop\Data;

use PDO;
use PDOException;
use RuntimeException;

/**
 * Applies migrations/*.sql in order, each once. Safe to repeat and to start twice at the same time.
 *
 * Migrations only expand the schema, so that the previous version of the code runs on while the next one is released.
 * A file that starts with `-- no-transaction` holds one statement that PostgreSQL refuses in a transaction, such as
 * CREATE INDEX CONCURRENTLY.
 */
final class Migrator
{
    private const LOCK = 7_306_512; // this application's number among advisory locks of the database
    private const PATIENCE = 120; // seconds to wait for another migration to end

    public function __construct(private readonly Database $database)
    {
    }

    /**
     * @param list<string> $applied names
     *
     * @return list<string> names of migrations this version has and the database has not
     */
    public static function missing(array $applied): array
    {
        return array_values(array_diff(array_keys(self::files()), $applied));
    }

    /** @return list<string> the same, of this database */
    public function pending(): array
    {
        try {
            $applied = $this->applied();
        } catch (PDOException $error) {
            if ($error->getCode() !== '42P01') { // undefined_table: nothing was ever applied
                throw $error;
            }
            $applied = [];
        }
        return self::missing(array_keys($applied));
    }

    /**
     * @param callable(string): void $say
     *
     * @return int how many were applied
     */
    public function run(callable $say): int
    {
        $this->lock();
        try {
            // A migration that cannot get its lock soon must fail, not queue all traffic behind itself.
            $this->database->script("SET lock_timeout = '5s'");
            $this->database->script('CREATE TABLE IF NOT EXISTS schema_migrations (
                name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())');
            $applied = $this->applied();
            $count = 0;
            foreach (self::files() as $name => $sql) {
                $checksum = hash('sha256', $sql);
                if (!isset($applied[$name])) {
                    $say("applying $name");
                    $this->apply($name, $sql, $checksum);
                    $count++;
                } elseif ($applied[$name] !== $checksum) {
                    throw new RuntimeException("$name was changed after it was applied: restore it and add a new migration");
                }
            }
            return $count;
        } finally {
            $this->database->run('SELECT pg_advisory_unlock(:lock)', ['lock' => self::LOCK]);
        }
    }

    private function apply(string $name, string $sql, string $checksum): void
    {
        $record = fn () => $this->database->run(
            'INSERT INTO schema_migrations (name, checksum) VALUES (:name, :checksum)',
            ['name' => $name, 'checksum' => $checksum],
        );
        if (str_starts_with($sql, '-- no-transaction')) {
            $this->dropBrokenIndexes();
            $this->database->script($sql);
            $record();
            return;
        }
        $this->database->transaction(function () use ($sql, $record): void {
            $this->database->script($sql);
            $record();
        });
    }

    /** CREATE INDEX CONCURRENTLY leaves an invalid index when it is interrupted, and IF NOT EXISTS would keep that. */
    private function dropBrokenIndexes(): void
    {
        $broken = $this->database->run(
            'SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
             WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace',
        )->fetchAll(PDO::FETCH_COLUMN);
        foreach ($broken as $index) {
            $this->database->script('DROP INDEX CONCURRENTLY IF EXISTS "' . str_replace('"', '""', $index) . '"');
        }
    }

    /**
     * Asks again and again instead of waiting in pg_advisory_lock(): a waiting statement holds a snapshot, and
     * CREATE INDEX CONCURRENTLY of the other migration would wait for it, and it for the lock.
     */
    private function lock(): void
    {
        $deadline = time() + self::PATIENCE;
        while ($this->database->row('SELECT pg_try_advisory_lock(:lock) AS held', ['lock' => self::LOCK])['held'] !== true) {
            if (time() > $deadline) {
                throw new RuntimeException('another migration has been running for ' . self::PATIENCE . ' s');
            }
            usleep(200_000);
        }
    }

    /** @return array<string, string> name to checksum */
    private function applied(): array
    {
        return $this->database->run('SELECT name, checksum FROM schema_migrations')->fetchAll(PDO::FETCH_KEY_PAIR);
    }

    /** @return array<string, string> name to SQL, in order */
    private static function files(): array
    {
        $files = [];
        foreach (glob(dirname(__DIR__, 2) . '/migrations/*.sql') ?: [] as $path) {
            $files[basename($path, '.sql')] = (string) file_get_contents($path);
        }
        return $files;
    }
}
