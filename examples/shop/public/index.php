<?php

declare(strict_types=1);

require dirname(__DIR__) . '/bootstrap.php';

Shop\Http\Kernel::create(new Shop\Config())->run();
