<?php

declare(strict_types=1);

namespace Shop\Data;

use Redis;
use RedisException;
use RedisSentinel;
use Shop\Config;

/** A lazy Redis (or Valkey) connection: one endpoint, or the primary that Sentinel names. */
final class RedisConnection
{
    private const CONNECT_TIMEOUT = 1.5; // seconds
    private const READ_TIMEOUT = 5.0; // seconds; above every blocking command's own timeout

    private ?Redis $redis = null;

    /** @param float $bound seconds at most to connect, and for each answer */
    public function __construct(
        private readonly Config $config,
        private readonly bool $persistent = false,
        private readonly float $bound = self::READ_TIMEOUT,
    ) {
    }

    public function client(): Redis
    {
        return $this->redis ??= $this->connect();
    }

    /** Drops the connection, after an error, so that the next call asks Sentinel again. */
    public function forget(): void
    {
        try {
            $this->redis?->close();
        } catch (RedisException | \ErrorException) {
            // Closing a broken connection may fail or warn (TLS), and warnings are exceptions here; it is gone either way.
        }
        $this->redis = null;
    }

    /** Runs $work with the client; after a connection error it is tried once more, so it must be safe to repeat. */
    public function retry(callable $work): mixed
    {
        try {
            return $work($this->client());
        } catch (RedisException) {
            $this->forget();
            return $work($this->client());
        }
    }

    private function connect(): Redis
    {
        [$host, $port] = $this->address();
        $redis = new Redis();
        $connect = $this->persistent ? 'pconnect' : 'connect';
        $bound = min(self::CONNECT_TIMEOUT, $this->bound);
        if ($this->config->get('REDIS_SCHEME') === 'tls') {
            // PHP verifies the chain and the name by itself; the file says which CA to trust, and is read each time.
            $stream = ['cafile' => $this->config->require('REDIS_CAFILE'), 'peer_name' => $host];
            $redis->$connect("tls://$host", $port, $bound, null, 0, $this->bound, ['stream' => $stream]);
        } else {
            $redis->$connect($host, $port, $bound);
        }
        $redis->setOption(Redis::OPT_READ_TIMEOUT, $this->bound);
        $password = $this->config->get('REDIS_PASSWORD');
        if ($password !== null) {
            $user = $this->config->get('REDIS_USERNAME');
            $redis->auth($user === null ? $password : [$user, $password]);
        }
        return $redis;
    }

    /** @return array{string, int} */
    private function address(): array
    {
        $sentinels = $this->config->get('REDIS_SENTINELS');
        if ($sentinels === null) {
            return [$this->config->require('REDIS_HOST'), $this->config->int('REDIS_PORT', 6379)];
        }
        $service = $this->config->get('REDIS_SENTINEL_SERVICE', 'mymaster');
        $problems = [];
        foreach (explode(',', $sentinels) as $entry) {
            [$host, $port] = explode(':', trim($entry)) + [1 => '26379'];
            $options = ['host' => $host, 'port' => (int) $port, 'connectTimeout' => self::CONNECT_TIMEOUT, 'readTimeout' => 2.0];
            if ($password = $this->config->get('REDIS_SENTINEL_PASSWORD')) {
                $options['auth'] = $password;
            }
            try {
                $address = (new RedisSentinel($options))->getMasterAddrByName($service);
                if (is_array($address)) {
                    return [(string) $address[0], (int) $address[1]];
                }
                $problems[] = "$host:$port does not know $service";
            } catch (RedisException $error) {
                $problems[] = "$host:$port: {$error->getMessage()}";
            }
        }
        throw new RedisException('no Sentinel names a primary: ' . implode('; ', $problems));
    }
}
