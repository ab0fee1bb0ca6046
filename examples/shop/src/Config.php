<?php

declare(strict_types=1);

namespace Shop;

use RuntimeException;

/**
 * Settings from the environment. `NAME_FILE`, the path of a file with the value, wins over `NAME`: secrets come as
 * files, so that they are in no process list and no `docker inspect`.
 */
final class Config
{
    /** @var array<string, ?string> */
    private array $read = [];

    public function get(string $name, ?string $default = null): ?string
    {
        if (!array_key_exists($name, $this->read)) {
            $this->read[$name] = $this->lookUp($name);
        }
        return $this->read[$name] ?? $default;
    }

    public function require(string $name): string
    {
        return $this->get($name) ?? throw new RuntimeException("$name is not set: set $name, or {$name}_FILE to a file with the value");
    }

    public function int(string $name, int $default): int
    {
        $value = $this->get($name);
        if ($value === null) {
            return $default;
        }
        if (!preg_match('/^\d{1,9}$/', $value)) {
            throw new RuntimeException("$name is '$value': write a whole number such as $default");
        }
        return (int) $value;
    }

    public function version(): string
    {
        $file = dirname(__DIR__) . '/VERSION';
        return is_file($file) ? trim((string) file_get_contents($file)) : 'dev';
    }

    public function host(): string
    {
        return (string) gethostname();
    }

    private function lookUp(string $name): ?string
    {
        $file = getenv("{$name}_FILE");
        if (is_string($file) && $file !== '') {
            $value = is_readable($file) ? file_get_contents($file) : false;
            if ($value === false) {
                throw new RuntimeException("{$name}_FILE: cannot read $file");
            }
            return rtrim($value, "\r\n");
        }
        $value = getenv($name);
        return is_string($value) && $value !== '' ? $value : null;
    }
}
