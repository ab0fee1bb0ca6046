<?php

declare(strict_types=1);

namespace Shop\Monitoring;

use PDOException;
use RedisException;
use RuntimeException;
use Shop\Config;
use Shop\Data\DatabaseProbe;
use Shop\Data\Migrator;
use Shop\Data\RedisConnection;
use Shop\Http\Response;
use Shop\Queue\Queue;
use Throwable;

/** What a proxy, an orchestrator and Prometheus ask. */
final class Monitoring
{
    // A check says how it is now, and whoever asks gives up soon.
    private const BOUND = 1.2; // seconds for everything that is asked of the database
    private const REDIS_BOUND = 1.0; // seconds for each step with Redis: a handshake of TLS took over 0.3 on a busy machine

    private ?float $deadline = null;

    public function __construct(
        private readonly Config $config,
        private readonly DatabaseProbe $database,
        private readonly Queue $queue,
        private readonly Counters $counters,
        private readonly HttpMetrics $http,
    ) {
    }

    /** Liveness: this process answers. Nothing else is asked, so a database that is away restarts no application. */
    public function alive(): Response
    {
        return Response::json(['status' => 'ok', 'version' => $this->config->version()]);
    }

    /** Whether the database (through the pooler) and Redis answer. */
    public function connected(): Response
    {
        return $this->report(['database' => $this->database('SELECT 1'), 'redis' => $this->redis()[0]], []);
    }

    /**
     * Readiness. Without database, Redis or this version's migrations no request can be served: 503. A long queue, an
     * absent scheduler or a full disk are reported as warnings: taking the web replicas away would mend none of them.
     */
    public function ready(): Response
    {
        [$redis, $bounded] = $this->redis();
        $checks = ['database' => $this->database('SELECT 1'), 'redis' => $redis];
        $checks['migrations'] = $checks['database']['status'] === 'failed' ? self::unknown('the database') : $this->migrations();
        $asked = fn (callable $work): array => $bounded === null ? self::unknown('Redis') : $this->check(static fn () => $work($bounded));
        $warnings = [
            'queue' => $asked(function (RedisConnection $redis): void {
                $age = (new Queue($redis))->state()['oldest_age'];
                $limit = $this->config->int('QUEUE_MAX_AGE', 300);
                if ($age > $limit) {
                    throw new RuntimeException(sprintf('the oldest job has waited %d s, more than %d s', $age, $limit));
                }
            }),
            'scheduler' => $asked(function (RedisConnection $redis): void {
                $last = (new Counters($redis))->runs()['queue-pending'] ?? null;
                if ($last === null || time() - $last > 30) {
                    throw new RuntimeException($last === null ? 'never ran' : sprintf('last ran %d s ago', time() - $last));
                }
            }),
            'uploads' => $this->check(function (): void {
                if (!is_writable($this->config->get('UPLOADS_DIR', '/srv/uploads'))) {
                    throw new RuntimeException('the directory is not writable');
                }
            }),
        ];
        return $this->report($checks, $warnings);
    }

    public function metrics(): Response
    {
        $page = new Exposition();
        $page->add('shop_build_info', 'gauge', 'Version and host of this replica.', [
            [1, ['version' => $this->config->version(), 'host' => $this->config->host()]],
        ]);
        $page->add('shop_http_requests_total', 'counter', 'Requests this replica answered.', array_map(
            static fn (array $row): array => [$row['count'], ['method' => $row['method'], 'route' => $row['route'], 'status' => $row['status']]],
            $this->http->counts(),
        ));
        $page->add('shop_http_request_duration_seconds', 'histogram', 'Time to answer.', $this->histogram());
        try {
            $this->shared($page);
            $up = 1;
        } catch (RuntimeException $error) {
            error_log("metrics: {$error->getMessage()}");
            $up = 0;
        }
        $page->add('shop_redis_up', 'gauge', 'Whether Redis answered; without it the shared metrics are absent.', [[$up]]);
        return Response::text($page->text(), Exposition::CONTENT_TYPE);
    }

    public function performance(): Response
    {
        $all = array_fill(0, count(HttpMetrics::BOUNDS), 0);
        $routes = [];
        foreach ($this->http->latencies() as $route => $row) {
            $routes[$route] = $this->quantiles($row['buckets']);
            if (!str_starts_with($route, '/api/monitoring/')) {
                $all = array_map(static fn (int $sum, int $count): int => $sum + $count, $all, $row['buckets']);
            }
        }
        $opcache = function_exists('opcache_get_status') ? opcache_get_status(false) : false;
        return Response::json([
            'version' => $this->config->version(),
            'host' => $this->config->host(),
            'requests' => $this->quantiles($all),
            'routes' => $routes,
            'memory' => ['peak_bytes' => memory_get_peak_usage(true), 'limit' => ini_get('memory_limit')],
            'opcache' => $opcache === false ? null : [
                'hit_rate' => round($opcache['opcache_statistics']['opcache_hit_rate'], 2),
                'scripts' => $opcache['opcache_statistics']['num_cached_scripts'],
                'used_bytes' => $opcache['memory_usage']['used_memory'],
                'free_bytes' => $opcache['memory_usage']['free_memory'],
                'restarts' => $opcache['opcache_statistics']['oom_restarts'],
            ],
        ]);
    }

    /** What all replicas share: the queue, and counts kept in Redis. */
    private function shared(Exposition $page): void
    {
        $queue = $this->queue->state();
        $counts = $this->counters->all();
        $page->add('shop_queue_length', 'gauge', 'Jobs by state; take max() over replicas.', [
            [$queue['ready'], ['state' => 'ready']],
            [$queue['processing'], ['state' => 'processing']],
            [$queue['dead'], ['state' => 'dead']],
        ]);
        $page->add('shop_queue_oldest_job_age_seconds', 'gauge', 'How long the next job has waited.', [[round($queue['oldest_age'], 3)]]);
        $page->add('shop_queue_workers', 'gauge', 'Workers known to the queue.', [[$queue['workers']]]);
        foreach ([
            'jobs_processed' => 'Orders processed.',
            'jobs_failed' => 'Orders given up after all attempts.',
            'jobs_recovered' => 'Jobs put back after their worker died.',
            'orders_requeued' => 'Orders queued by the scheduler because nobody else had.',
            'otp_failures' => 'Logins refused for a wrong or old code.',
            'mails_sent' => 'Mails the relay took.',
            'mail_failures' => 'Mails the relay did not take.',
        ] as $name => $help) {
            $page->add("shop_{$name}_total", 'counter', $help, [[$counts[$name] ?? 0]]);
        }
        $runs = [];
        foreach ($this->counters->runs() as $task => $time) {
            $runs[] = [$time, ['task' => $task]];
        }
        $page->add('shop_scheduler_last_run_timestamp_seconds', 'gauge', 'When a scheduled task last succeeded.', $runs);
    }

    /** @return list<array{0: int|float, 1: array<string, string>, 2: string}> */
    private function histogram(): array
    {
        $samples = [];
        foreach ($this->http->latencies() as $route => $row) {
            $sum = 0;
            foreach (HttpMetrics::BOUNDS as $index => $bound) {
                $sum += $row['buckets'][$index];
                $samples[] = [$sum, ['route' => $route, 'le' => Exposition::number($bound)], '_bucket'];
            }
            $samples[] = [$row['seconds'], ['route' => $route], '_sum'];
            $samples[] = [$sum, ['route' => $route], '_count'];
        }
        return $samples;
    }

    /** @param list<int> $buckets */
    private function quantiles(array $buckets): array
    {
        $milliseconds = static function (float $share) use ($buckets): ?float {
            $seconds = HttpMetrics::quantile($share, $buckets);
            return $seconds === null ? null : round($seconds * 1000, 2);
        };
        return [
            'count' => array_sum($buckets),
            'p50_ms' => $milliseconds(0.50),
            'p95_ms' => $milliseconds(0.95),
            'p99_ms' => $milliseconds(0.99),
        ];
    }

    /** @return array{status: string, ms?: float, error?: string} */
    private function database(string $sql): array
    {
        return $this->check(fn () => $this->database->ask($sql, $this->left()));
    }

    private function left(): float
    {
        return ($this->deadline ??= microtime(true) + self::BOUND) - microtime(true);
    }

    /** @return array{status: string, ms?: float, error?: string} */
    private function migrations(): array
    {
        return $this->check(function (): void {
            // Without the table, which no query may name, nothing was ever applied.
            $exists = $this->database->ask("SELECT to_regclass('schema_migrations') AS found", $this->left())[0]['found'] !== null;
            $rows = $exists ? $this->database->ask('SELECT name FROM schema_migrations', $this->left()) : [];
            $missing = Migrator::missing(array_column($rows, 'name'));
            if ($missing !== []) {
                throw new RuntimeException('not applied: ' . implode(', ', $missing));
            }
        });
    }

    /**
     * A connection of its own, whose bounds are short.
     *
     * @return array{array<string, mixed>, ?RedisConnection} the check, and the connection if Redis answered
     */
    private function redis(): array
    {
        $redis = new RedisConnection($this->config, bound: self::REDIS_BOUND);
        $check = $this->check(static fn () => $redis->client()->ping());
        return [$check, $check['status'] === 'ok' ? $redis : null];
    }

    /** @return array{status: string, error: string} */
    private static function unknown(string $of): array
    {
        return ['status' => 'failed', 'error' => "not known without $of"];
    }

    /** @return array{status: string, ms?: float, error?: string} */
    private function check(callable $work): array
    {
        $start = hrtime(true);
        try {
            $work();
        } catch (Throwable $error) {
            error_log("health: {$error->getMessage()}");
            // Our own words may be shown; messages of a database or Redis name hosts and users, and stay in the log.
            $ours = $error instanceof RuntimeException && !$error instanceof PDOException && !$error instanceof RedisException;
            return ['status' => 'failed', 'error' => $ours ? $error->getMessage() : $error::class];
        }
        return ['status' => 'ok', 'ms' => round((hrtime(true) - $start) / 1e6, 2)];
    }

    /**
     * @param array<string, array<string, mixed>> $checks   any that failed makes this 503
     * @param array<string, array<string, mixed>> $warnings any that failed is only told
     */
    private function report(array $checks, array $warnings): Response
    {
        $failed = static fn (array $list): bool => in_array('failed', array_column($list, 'status'), true);
        $status = $failed($checks) ? 'failed' : ($failed($warnings) ? 'degraded' : 'ok');
        return Response::json(
            ['status' => $status, 'version' => $this->config->version(), 'host' => $this->config->host(), 'checks' => $checks + $warnings],
            $status === 'failed' ? 503 : 200,
        );
    }
}
