<?php

declare(strict_types=1);

namespace Shop\Http;

use Exception;

/** An answer that is not 2xx, with a message for the caller. */
final class HttpError extends Exception
{
    public function __construct(public readonly int $status, string $message)
    {
        parent::__construct($message);
    }
}
