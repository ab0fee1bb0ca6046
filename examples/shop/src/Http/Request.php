<?php

declare(strict_types=1);

namespace Shop\Http;

/** What came in: method, path, headers, and the body on demand. */
final class Request
{
    public function __construct(public readonly string $method, public readonly string $path)
    {
    }

    public static function fromGlobals(): self
    {
        $path = parse_url('http://host' . ($_SERVER['REQUEST_URI'] ?? '/'), PHP_URL_PATH);
        return new self($_SERVER['REQUEST_METHOD'] ?? 'GET', is_string($path) ? $path : '/');
    }

    public function header(string $name): ?string
    {
        $key = strtoupper(strtr($name, '-', '_'));
        $value = $_SERVER["HTTP_$key"] ?? $_SERVER[$key] ?? null; // CONTENT_TYPE has no HTTP_ prefix
        return is_string($value) && $value !== '' ? $value : null;
    }

    /** @return array<string, mixed> */
    public function json(): array
    {
        $body = json_decode((string) file_get_contents('php://input', length: 65536), true);
        return is_array($body) ? $body : throw new HttpError(400, 'the body is not a JSON object of at most 64 KiB');
    }

    /** Whether the request carries this bearer token. */
    public function bears(string $token): bool
    {
        return hash_equals("Bearer $token", $this->header('Authorization') ?? '');
    }
}
