<?php

declare(strict_types=1);

namespace Shop\Data;

use RuntimeException;

/**
 * Keeps a database that is away from keeping every child of PHP-FPM waiting, so that pages without it are still served.
 *
 * While half of a replica's children are idle, whoever needs the database may wait for it: most failovers are shorter
 * than its patience. When fewer are, only a database that answers is asked. One child finds out, several times a second;
 * what it found is in memory that all children share (APCu). The pause between is short, because until somebody has
 * found out that the database is away, every request that comes in takes another child.
 */
final class Bulkhead
{
    private const BOUND = 2.0; // seconds that the database has for an answer: a restart of a server or a pooler is shorter
    private const FRESH = 0.2; // seconds that what was found counts
    private const ABANDONED = 4; // seconds after which whoever looked is taken for dead

    private ?bool $open = null;

    public function __construct(private readonly DatabaseProbe $probe)
    {
    }

    /** Whether this request may ask the database; found out once for each request. */
    public function open(): bool
    {
        return $this->open ??= $this->idle() || $this->answers();
    }

    private function idle(): bool
    {
        $pool = function_exists('fpm_get_status') ? fpm_get_status() : false;
        return $pool === false || 2 * $pool['idle-processes'] >= $pool['total-processes'];
    }

    private function answers(): bool
    {
        $deadline = microtime(true) + self::BOUND + 0.5;
        do {
            [$answers, $time] = apcu_fetch('database:found') ?: [null, 0.0];
            if (microtime(true) - $time < self::FRESH) {
                return $answers;
            }
            if (apcu_add('database:asked', 1, self::ABANDONED)) {
                return $this->find();
            }
            if ($answers === false) {
                return false; // it was away, and another child looks whether it is back
            }
            usleep(10_000);
        } while (microtime(true) < $deadline);
        return false;
    }

    private function find(): bool
    {
        $deadline = microtime(true) + self::BOUND;
        $answers = false;
        while (!$answers && ($left = $deadline - microtime(true)) > 0) {
            try {
                $this->probe->ask('SELECT 1', $left);
                $answers = true;
            } catch (RuntimeException $error) {
                usleep(50_000); // a connection that breaks says nothing of the next one
            }
        }
        if (!$answers) {
            error_log("database: {$error->getMessage()}");
        }
        apcu_store('database:found', [$answers, microtime(true)]);
        apcu_delete('database:asked');
        return $answers;
    }
}
