<?php

declare(strict_types=1);

namespace Shop\Queue;

use Redis;
use Shop\Data\RedisConnection;

/**
 * The reliable queue pattern of the Redis manual (BLMOVE): a job moves from `ready` to its worker's own `processing` list
 * and leaves that list only when it is done, so a killed worker loses nothing. `orders` is the set of orders that have a
 * job, so that queueing an order twice makes one job.
 */
final class Queue
{
    private const READY = 'shop:queue:ready';
    private const DEAD = 'shop:queue:dead';
    private const ORDERS = 'shop:queue:orders';
    private const WORKERS = 'shop:queue:workers';
    private const WORKER_LIFETIME = 30; // seconds without a sign of life after which a worker counts as dead

    private const PUSH = <<<'LUA'
        if redis.call('SADD', KEYS[2], ARGV[1]) == 0 then return 0 end
        redis.call('LPUSH', KEYS[1], ARGV[2])
        return 1
        LUA;

    public function __construct(private readonly RedisConnection $redis)
    {
    }

    /** Queues an order unless it already is. Safe to repeat. */
    public function push(string $order): bool
    {
        $job = new Job($order, microtime(true));
        return (bool) $this->redis->retry(
            static fn (Redis $redis) => $redis->eval(self::PUSH, [self::READY, self::ORDERS, $order, $job->encode()], 2),
        );
    }

    /** Tells the others that this worker lives. */
    public function announce(string $worker): void
    {
        $this->redis->client()->multi()
            ->sAdd(self::WORKERS, $worker)
            ->setex("shop:queue:worker:$worker", self::WORKER_LIFETIME, (string) time())
            ->exec();
    }

    /** The next job, or null after $seconds without one. */
    public function take(string $worker, float $seconds): ?Job
    {
        $text = $this->redis->client()->blmove(self::READY, self::processing($worker), Redis::RIGHT, Redis::LEFT, $seconds);
        return is_string($text) ? Job::decode($text) : null;
    }

    /** The job is done: it leaves, together with the count of it. */
    public function done(string $worker, Job $job): void
    {
        $this->redis->retry(static fn (Redis $redis) => $redis->multi()
            ->lRem(self::processing($worker), $job->encode(), 1)
            ->sRem(self::ORDERS, $job->order)
            ->exec());
    }

    /** The job goes back to the head of the queue, as if nobody had taken it. */
    public function giveBack(string $worker, Job $job): void
    {
        $this->redis->retry(static fn (Redis $redis) => $redis->multi()
            ->lRem(self::processing($worker), $job->encode(), 1)
            ->rPush(self::READY, $job->encode())
            ->exec());
    }

    /** The job failed: it is tried again after the others. */
    public function tryLater(string $worker, Job $job): void
    {
        $this->redis->retry(static fn (Redis $redis) => $redis->multi()
            ->lRem(self::processing($worker), $job->encode(), 1)
            ->lPush(self::READY, $job->next()->encode())
            ->exec());
    }

    /** The job failed too often: it is kept apart for a person to look at. */
    public function bury(string $worker, Job $job): void
    {
        $this->redis->retry(static fn (Redis $redis) => $redis->multi()
            ->lRem(self::processing($worker), $job->encode(), 1)
            ->sRem(self::ORDERS, $job->order)
            ->lPush(self::DEAD, $job->encode())
            ->exec());
    }

    /** Puts back what this worker left behind: at its start, from a former life; at its end, and then it is forgotten. */
    public function recover(string $worker): int
    {
        $redis = $this->redis->client();
        $jobs = 0;
        while ($redis->lMove(self::processing($worker), self::READY, Redis::LEFT, Redis::RIGHT) !== false) {
            $jobs++;
        }
        $redis->sRem(self::WORKERS, $worker);
        $redis->del("shop:queue:worker:$worker");
        return $jobs;
    }

    /** Puts back what dead workers were doing; returns how many jobs. */
    public function reap(): int
    {
        $jobs = 0;
        foreach ($this->redis->client()->sMembers(self::WORKERS) as $worker) {
            if ($this->redis->client()->exists("shop:queue:worker:$worker") === 0) {
                $jobs += $this->recover($worker);
            }
        }
        return $jobs;
    }

    /** @return array{ready: int, processing: int, dead: int, workers: int, oldest_age: float} */
    public function state(): array
    {
        $redis = $this->redis->client();
        [$ready, $dead, $oldest, $workers] = $redis->pipeline()
            ->lLen(self::READY)
            ->lLen(self::DEAD)
            ->lIndex(self::READY, -1)
            ->sMembers(self::WORKERS)
            ->exec();
        $processing = 0;
        foreach ($workers as $worker) {
            $processing += $redis->lLen(self::processing($worker));
        }
        return [
            'ready' => (int) $ready,
            'processing' => $processing,
            'dead' => (int) $dead,
            'workers' => count($workers),
            'oldest_age' => is_string($oldest) ? max(0.0, microtime(true) - Job::decode($oldest)->queuedAt) : 0.0,
        ];
    }

    private static function processing(string $worker): string
    {
        return "shop:queue:processing:$worker";
    }
}
