<?php

declare(strict_types=1);

namespace Shop\Queue;

/** One order to process. The encoded text is its identity in Redis, so encoding is stable. */
final class Job
{
    public function __construct(
        public readonly string $order,
        public readonly float $queuedAt,
        public readonly int $attempt = 1,
    ) {
    }

    public static function decode(string $text): self
    {
        $value = json_decode($text, true, flags: JSON_THROW_ON_ERROR);
        return new self($value['order'], (float) $value['at'], $value['attempt']);
    }

    public function encode(): string
    {
        $value = ['order' => $this->order, 'at' => round($this->queuedAt, 6), 'attempt' => $this->attempt];
        return json_encode($value, JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION);
    }

    public function next(): self
    {
        return new self($this->order, $this->queuedAt, $this->attempt + 1);
    }
}
