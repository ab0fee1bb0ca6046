<?php

declare(strict_types=1);

namespace Shop\Monitoring;

use APCUIterator;

/**
 * Requests and their latency, in memory that the PHP-FPM children of one replica share (APCu).
 *
 * Not in Redis: it costs three memory increments instead of a round trip per request, and it counts on when Redis is away,
 * which is when errors must be seen. Prometheus scrapes every replica and adds them up.
 */
final class HttpMetrics
{
    /** Upper bounds in seconds; 0.15 and 0.2 are the service levels of the tiers. */
    public const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, INF];

    private const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

    public function observe(string $method, string $route, int $status, float $seconds): void
    {
        if (!apcu_enabled()) {
            return;
        }
        $method = in_array($method, self::METHODS, true) ? $method : 'OTHER';
        $bucket = 0;
        while ($seconds > self::BOUNDS[$bucket]) {
            $bucket++;
        }
        apcu_inc("http:count|$method|$route|$status");
        apcu_inc("http:bucket|$route|$bucket");
        apcu_inc("http:micros|$route", (int) ($seconds * 1_000_000));
    }

    /** @return list<array{method: string, route: string, status: string, count: int}> */
    public function counts(): array
    {
        $counts = [];
        foreach ($this->entries('count') as $key => $value) {
            [, $method, $route, $status] = explode('|', $key);
            $counts[] = ['method' => $method, 'route' => $route, 'status' => $status, 'count' => $value];
        }
        return $counts;
    }

    /** @return array<string, array{buckets: list<int>, seconds: float}> by route; buckets are not cumulative */
    public function latencies(): array
    {
        $routes = [];
        foreach ($this->entries('bucket') as $key => $value) {
            [, $route, $bucket] = explode('|', $key);
            $routes[$route] ??= ['buckets' => array_fill(0, count(self::BOUNDS), 0), 'seconds' => 0.0];
            $routes[$route]['buckets'][(int) $bucket] = $value;
        }
        foreach ($this->entries('micros') as $key => $value) {
            $route = explode('|', $key)[1];
            if (isset($routes[$route])) {
                $routes[$route]['seconds'] = $value / 1_000_000;
            }
        }
        ksort($routes);
        return $routes;
    }

    /**
     * A quantile by linear interpolation within its bucket, as Prometheus' histogram_quantile() does.
     *
     * @param list<int> $buckets
     */
    public static function quantile(float $share, array $buckets): ?float
    {
        $total = array_sum($buckets);
        if ($total === 0) {
            return null;
        }
        $rank = $share * $total;
        $below = 0;
        foreach ($buckets as $index => $count) {
            if ($below + $count >= $rank && $count > 0) {
                $lower = $index === 0 ? 0.0 : self::BOUNDS[$index - 1];
                $upper = self::BOUNDS[$index];
                return is_infinite($upper) ? $lower : $lower + ($upper - $lower) * ($rank - $below) / $count;
            }
            $below += $count;
        }
        return null;
    }

    /** @return array<string, int> */
    private function entries(string $kind): array
    {
        $entries = [];
        if (apcu_enabled()) {
            foreach (new APCUIterator("/^http:$kind\\|/", APC_ITER_KEY | APC_ITER_VALUE) as $entry) {
                $entries[$entry['key']] = (int) $entry['value'];
            }
        }
        ksort($entries);
        return $entries;
    }
}
