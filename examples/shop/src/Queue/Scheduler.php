<?php

declare(strict_types=1);

namespace Shop\Queue;

use PDO;
use Shop\Config;
use Shop\Data\Database;
use Shop\Data\RedisConnection;
use Shop\Monitoring\Counters;
use Shop\Monitoring\Heartbeat;
use Shop\Stop;
use Throwable;

/**
 * Runs what is due, one scheduler at a time: a lock in Redis lets a second one, during a release, only watch.
 * Every task is safe to repeat.
 */
final class Scheduler
{
    private const LOCK = 'shop:scheduler:lock';
    private const LOCK_LIFETIME = 15; // seconds after which another scheduler takes over from a dead one
    private const HOLD = <<<'LUA'
        local holder = redis.call('GET', KEYS[1])
        if holder and holder ~= ARGV[1] then return 0 end
        redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
        return 1
        LUA;
    private const LET_GO = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

    private readonly string $token;

    public function __construct(
        private readonly Config $config,
        private readonly Database $database,
        private readonly RedisConnection $redis,
        private readonly Queue $queue,
        private readonly Counters $counters,
        private readonly Heartbeat $heartbeat,
        private readonly Stop $stop,
    ) {
        $this->token = bin2hex(random_bytes(8));
    }

    public function run(): void
    {
        /** @var array<string, array{int, callable(): void}> $tasks seconds between runs, and what runs */
        $tasks = [
            'queue-pending' => [2, $this->queuePending(...)],
            'reap-workers' => [5, $this->reapWorkers(...)],
            'expire-orders' => [60, $this->expireOrders(...)],
        ];
        $due = array_fill_keys(array_keys($tasks), 0);
        while (!$this->stop->asked()) {
            $this->heartbeat->beat();
            foreach ($tasks as $name => [$seconds, $task]) {
                if ($due[$name] <= time() && !$this->stop->asked() && $this->attempt($name, $task)) {
                    $due[$name] = time() + $seconds;
                }
            }
            $this->stop->sleep(1.0);
        }
        $this->quietly('let go', fn () => $this->redis->client()->eval(self::LET_GO, [self::LOCK, $this->token], 1));
    }

    private function attempt(string $name, callable $task): bool
    {
        return $this->quietly($name, function () use ($name, $task): bool {
            $arguments = [self::LOCK, $this->token, self::LOCK_LIFETIME];
            if ($this->redis->client()->eval(self::HOLD, $arguments, 1) !== 1) {
                return false;
            }
            $task();
            $this->counters->ran($name);
            return true;
        });
    }

    /** What fails here is logged and tried again at the next turn. */
    private function quietly(string $name, callable $work): bool
    {
        try {
            return (bool) $work();
        } catch (Throwable $error) {
            error_log("scheduler: $name: {$error->getMessage()}");
            $this->database->forget();
            $this->redis->forget();
            return false;
        }
    }

    /**
     * Queues orders that wait although they should not: never queued (the web process died after the commit, or Redis was
     * away), or queued long ago (Redis lost the job). An order that still has a job is not queued twice, see Queue.
     */
    private function queuePending(): void
    {
        $orders = $this->database->run(
            "SELECT id FROM orders
             WHERE status = 'pending' AND coalesce(queued_at + make_interval(secs => :again), created_at + interval '2 seconds') < now()
             ORDER BY created_at LIMIT 500",
            ['again' => $this->config->int('REQUEUE_SECONDS', 60)],
        )->fetchAll(PDO::FETCH_COLUMN);
        foreach ($orders as $order) {
            if ($this->queue->push($order)) {
                $this->counters->add('orders_requeued');
            }
            $this->database->run('UPDATE orders SET queued_at = now() WHERE id = :id', ['id' => $order]);
        }
    }

    private function reapWorkers(): void
    {
        $this->counters->add('jobs_recovered', $this->queue->reap());
    }

    private function expireOrders(): void
    {
        $this->database->run(
            "UPDATE orders SET status = 'expired'
             WHERE status = 'pending' AND created_at < now() - make_interval(days => :days)",
            ['days' => $this->config->int('ORDER_DAYS', 7)],
        );
    }
}
