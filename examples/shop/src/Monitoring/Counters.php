<?php

declare(strict_types=1);

namespace Shop\Monitoring;

use RedisException;
use Shop\Data\RedisConnection;

/**
 * Counts of business events, in Redis: they come from web processes, workers and the scheduler, which share no memory.
 * Every replica therefore exposes the same values: take max(), not sum(), over replicas.
 */
final class Counters
{
    private const COUNTS = 'shop:counters';
    private const RUNS = 'shop:scheduler:runs';

    public function __construct(private readonly RedisConnection $redis)
    {
    }

    /** A count is worth less than the work it counts: without Redis it is dropped. */
    public function add(string $name, int $by = 1): void
    {
        if ($by === 0) {
            return;
        }
        try {
            $this->redis->client()->hIncrBy(self::COUNTS, $name, $by);
        } catch (RedisException $error) {
            error_log("count of $name dropped: {$error->getMessage()}");
        }
    }

    public function ran(string $task): void
    {
        $this->redis->client()->hSet(self::RUNS, $task, (string) time());
    }

    /** @return array<string, int> */
    public function all(): array
    {
        return array_map(intval(...), $this->redis->client()->hGetAll(self::COUNTS));
    }

    /** @return array<string, int> task to Unix time of its last success */
    public function runs(): array
    {
        return array_map(intval(...), $this->redis->client()->hGetAll(self::RUNS));
    }
}
