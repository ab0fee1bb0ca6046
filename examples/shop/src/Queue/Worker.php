<?php

declare(strict_types=1);

namespace Shop\Queue;

use PDOException;
use RedisException;
use RuntimeException;
use Shop\Config;
use Shop\Data\Database;
use Shop\Data\RedisConnection;
use Shop\Monitoring\Counters;
use Shop\Monitoring\Heartbeat;
use Shop\Stop;
use Throwable;

/** Processes orders until told to stop; then finishes the one in hand. */
final class Worker
{
    private const ATTEMPTS = 3;
    private const WAIT = 1.0; // seconds to wait for a job: the longest an idle worker takes to stop

    private readonly string $name;

    public function __construct(
        private readonly Config $config,
        private readonly Database $database,
        private readonly RedisConnection $redis,
        private readonly Queue $queue,
        private readonly Counters $counters,
        private readonly Heartbeat $heartbeat,
        private readonly Stop $stop,
    ) {
        // A restarted container has the same name and process id, and so takes up what it left behind.
        $this->name = "{$config->host()}-" . getmypid();
    }

    public function run(): void
    {
        $known = false;
        while (!$this->stop->asked()) {
            $this->heartbeat->beat();
            try {
                if (!$known) {
                    $this->queue->recover($this->name);
                    $known = true;
                }
                $this->queue->announce($this->name);
                $job = $this->queue->take($this->name, self::WAIT);
                if ($job !== null) {
                    $this->handle($job);
                }
            } catch (RedisException $error) {
                error_log("worker: Redis: {$error->getMessage()}");
                $this->redis->forget();
                $known = false;
                $this->stop->sleep(1.0);
            }
        }
        $this->queue->recover($this->name);
    }

    private function handle(Job $job): void
    {
        try {
            $done = $this->process($job);
            $this->queue->done($this->name, $job);
            if ($done) {
                $this->counters->add('jobs_processed');
            }
        } catch (RedisException $error) {
            throw $error;
        } catch (Throwable $error) {
            error_log("worker: order {$job->order}, attempt {$job->attempt}: {$error->getMessage()}");
            if ($error instanceof PDOException && Database::isTransient($error)) {
                // The database is away: not the job's fault, so it is no attempt.
                $this->database->forget();
                $this->queue->giveBack($this->name, $job);
                $this->stop->sleep(1.0);
            } else {
                $this->fail($job);
            }
        }
    }

    /** Whether this job did the work; false when another one had, or the order is no longer there. */
    private function process(Job $job): bool
    {
        $order = $this->database->row('SELECT sku, status FROM orders WHERE id = :id', ['id' => $job->order]);
        if ($order === null || $order['status'] !== 'pending') {
            return false;
        }
        $this->work($order['sku']);
        $update = $this->database->run(
            "UPDATE orders SET status = 'processed', processed_at = now(), processed_by = :worker
             WHERE id = :id AND status = 'pending'",
            ['id' => $job->order, 'worker' => "$this->name version {$this->config->version()}"],
        );
        return $update->rowCount() === 1;
    }

    /** Stands for the real work: takes JOB_MS, and always fails for the product made for that. */
    private function work(string $sku): void
    {
        $end = hrtime(true) + $this->config->int('JOB_MS', 0) * 1_000_000;
        while (($left = $end - hrtime(true)) > 0) {
            usleep((int) ($left / 1000) + 1); // a signal ends a sleep early, but not the work
        }
        if ($sku === 'faulty') {
            throw new RuntimeException('this product cannot be processed');
        }
    }

    private function fail(Job $job): void
    {
        if ($job->attempt < self::ATTEMPTS) {
            $this->queue->tryLater($this->name, $job);
            return;
        }
        $this->database->run("UPDATE orders SET status = 'failed' WHERE id = :id AND status = 'pending'", ['id' => $job->order]);
        $this->queue->bury($this->name, $job);
        $this->counters->add('jobs_failed');
    }
}
