<?php

declare(strict_types=1);

namespace Shop\Data;

use RuntimeException;

/** The database does not answer, and too many requests wait for it already. */
final class DatabaseAway extends RuntimeException
{
}
