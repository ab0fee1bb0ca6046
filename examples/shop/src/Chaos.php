<?php

declare(strict_types=1);

namespace Shop;

use RuntimeException;
use Shop\Data\RedisConnection;
use Shop\Http\HttpError;
use Shop\Http\Request;
use Shop\Http\Response;

/**
 * Trouble on purpose, to test releases with: a share of requests that fail, and extra latency.
 *
 * Set by environment (CHAOS_ERROR_RATE, CHAOS_LATENCY_MS) for one container, or with POST /api/chaos for every replica of a
 * version, or of all versions. Health, monitoring and this switch itself are spared: a bad release must be found by its errors.
 */
final class Chaos
{
    private const NONE = ['error_rate' => 0.0, 'latency_ms' => 0];
    private const SPARED = '#^(/health|/api/health|/api/monitoring/.*|/api/chaos)$#';

    public function __construct(private readonly Config $config, private readonly RedisConnection $redis)
    {
    }

    /** The failure this request meets, or null; latency is spent here. */
    public function trouble(string $route): ?Response
    {
        if (preg_match(self::SPARED, $route) === 1) {
            return null;
        }
        $setting = $this->setting();
        if ($setting['latency_ms'] > 0) {
            usleep($setting['latency_ms'] * 1000);
        }
        if ($setting['error_rate'] <= 0) {
            return null;
        }
        // Evenly spread instead of at random: of any 100 requests to a replica, exactly the asked share fails.
        $number = (int) apcu_inc('chaos:requests');
        if (floor($number * $setting['error_rate']) === floor(($number - 1) * $setting['error_rate'])) {
            return null;
        }
        return Response::json(['error' => 'failed on purpose'], 500, ['X-Chaos' => 'error']);
    }

    public function show(Request $request): Response
    {
        $this->authenticate($request);
        return Response::json(['version' => $this->config->version()] + $this->setting(fresh: true));
    }

    /** {"error_rate": 0..1, "latency_ms": 0..60000, "version": "2" (or absent: all), "seconds": 1..86400 (or absent: 600)} */
    public function change(Request $request): Response
    {
        $this->authenticate($request);
        $body = $request->json();
        $rate = $body['error_rate'] ?? 0;
        $latency = $body['latency_ms'] ?? 0;
        $seconds = $body['seconds'] ?? 600;
        $version = $body['version'] ?? 'all';
        $valid = (is_int($rate) || is_float($rate)) && $rate >= 0 && $rate <= 1
            && is_int($latency) && $latency >= 0 && $latency <= 60000
            && is_int($seconds) && $seconds >= 1 && $seconds <= 86400
            && is_string($version) && preg_match('/^[\w.-]{1,64}$/', $version) === 1;
        if (!$valid) {
            throw new HttpError(422, 'send {"error_rate": 0..1, "latency_ms": 0..60000, "version": text, "seconds": 1..86400}');
        }
        $setting = ['error_rate' => (float) $rate, 'latency_ms' => $latency];
        $this->redis->retry(static fn ($redis) => $redis->setex("shop:chaos:$version", $seconds, json_encode($setting)));
        apcu_delete('chaos:setting');
        return Response::json(['version' => $version, 'seconds' => $seconds] + $setting);
    }

    private function authenticate(Request $request): void
    {
        $token = $this->config->get('CHAOS_TOKEN') ?? throw new HttpError(404, 'there is nothing here');
        if (!$request->bears($token)) {
            throw new HttpError(401, 'send Authorization: Bearer and the chaos token');
        }
    }

    /** @return array{error_rate: float, latency_ms: int} */
    private function setting(bool $fresh = false): array
    {
        if ($this->config->get('CHAOS_ERROR_RATE') !== null || $this->config->get('CHAOS_LATENCY_MS') !== null) {
            return [
                'error_rate' => (float) $this->config->get('CHAOS_ERROR_RATE', '0'),
                'latency_ms' => $this->config->int('CHAOS_LATENCY_MS', 0),
            ];
        }
        if ($this->config->get('CHAOS_TOKEN') === null) {
            return self::NONE;
        }
        $known = $fresh ? false : apcu_fetch('chaos:setting');
        if (is_array($known)) {
            return $known;
        }
        try {
            $found = $this->redis->retry(fn ($redis) => $redis->mget(["shop:chaos:{$this->config->version()}", 'shop:chaos:all']));
            $value = $found[0] ?: ($found[1] ?: null);
            $setting = $value === null ? self::NONE : json_decode($value, true);
        } catch (RuntimeException) {
            $setting = self::NONE; // without Redis there is trouble enough
        }
        apcu_store('chaos:setting', $setting, 1); // one look-up a second, not one a request
        return $setting;
    }
}
