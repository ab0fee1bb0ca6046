<?php

declare(strict_types=1);

namespace Shop\Monitoring;

use RuntimeException;
use Shop\Config;

/**
 * The sign of life of a worker or scheduler, for the container's health check: a file, so that a Redis that is away does
 * not get healthy processes restarted. It is kept in memory (/dev/shm), which is writable under a read-only root.
 */
final class Heartbeat
{
    private const MAXIMUM_AGE = 30; // seconds; a job must take less

    private readonly string $file;

    public function __construct(Config $config, string $kind)
    {
        if (!in_array($kind, ['worker', 'scheduler'], true)) {
            throw new RuntimeException("'$kind' has no heartbeat: say worker or scheduler");
        }
        $directory = $config->get('HEARTBEAT_DIR', is_writable('/dev/shm') ? '/dev/shm' : sys_get_temp_dir());
        $this->file = "$directory/shop-$kind.heartbeat";
    }

    public function beat(): void
    {
        touch($this->file);
    }

    /** Seconds since the last beat; null when there was none. */
    public function age(): ?int
    {
        clearstatcache();
        return is_file($this->file) ? time() - filemtime($this->file) : null;
    }

    public function isFresh(): bool
    {
        return ($this->age() ?? PHP_INT_MAX) <= self::MAXIMUM_AGE;
    }
}
