<?php

declare(strict_types=1);

// Class Shop\Queue\Worker lives in src/Queue/Worker.php.
spl_autoload_register(static function (string $class): void {
    if (str_starts_with($class, 'Shop\\')) {
        $file = __DIR__ . '/src/' . str_replace('\\', '/', substr($class, 5)) . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
});

// A warning is a bug: turn it into an exception instead of output in the middle of a response.
set_error_handler(static function (int $level, string $message, string $file, int $line): bool {
    if ((error_reporting() & $level) === 0) {
        return false;
    }
    throw new ErrorException($message, 0, $level, $file, $line);
});
ini_set('display_errors', '0');
ini_set('log_errors', '1');
