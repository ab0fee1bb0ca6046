<?php

declare(strict_types=1);

namespace Shop;

/** A wish to stop (SIGTERM, SIGINT), to be looked at between two pieces of work. */
final class Stop
{
    private bool $asked = false;

    public function __construct()
    {
        pcntl_async_signals(true);
        foreach ([SIGTERM, SIGINT] as $signal) {
            pcntl_signal($signal, function (): void {
                $this->asked = true;
            });
        }
    }

    public function asked(): bool
    {
        return $this->asked;
    }

    /** Sleeps, but not past a signal. */
    public function sleep(float $seconds): void
    {
        if (!$this->asked) {
            usleep((int) ($seconds * 1_000_000));
        }
    }
}
