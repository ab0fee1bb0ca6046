<?php

declare(strict_types=1);

namespace Shop\Http;

use Closure;

/** What goes out, and what is done after it has gone out. */
final class Response
{
    /** @param array<string, string> $headers */
    public function __construct(
        public readonly int $status,
        public readonly string $body,
        public array $headers,
        public readonly ?string $file = null,
        public readonly ?Closure $afterwards = null,
    ) {
    }

    /** @param array<string, string> $headers */
    public static function json(mixed $value, int $status = 200, array $headers = [], ?Closure $afterwards = null): self
    {
        $body = json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES) . "\n";
        return new self($status, $body, ['Content-Type' => 'application/json'] + $headers, afterwards: $afterwards);
    }

    public static function text(string $body, string $type = 'text/plain; charset=utf-8'): self
    {
        return new self(200, $body, ['Content-Type' => $type]);
    }

    public static function file(string $path, string $type): self
    {
        return new self(200, '', [
            'Content-Type' => $type,
            'Content-Length' => (string) filesize($path),
            'Cache-Control' => 'public, max-age=31536000, immutable', // the name is a hash of the content
        ], $path);
    }

    public function send(): void
    {
        header_remove('X-Powered-By');
        http_response_code($this->status);
        foreach ($this->headers as $name => $value) {
            header("$name: $value");
        }
        if ($this->file !== null) {
            readfile($this->file);
        } else {
            echo $this->body;
        }
        if (function_exists('fastcgi_finish_request')) {
            fastcgi_finish_request();
        }
    }
}
