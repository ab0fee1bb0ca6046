<?php

declare(strict_types=1);

namespace Shop\Http;

use Closure;

/** Routes as "METHOD /path/{parameter}". The pattern, never the path, is the label of a metric. */
final class Router
{
    /** @param array<string, Closure(Request, string...): Response> $routes */
    public function __construct(private readonly array $routes)
    {
    }

    /** @return array{string, Closure(): Response} pattern and what to call */
    public function match(Request $request): array
    {
        $allowed = [];
        foreach ($this->routes as $route => $handler) {
            [$method, $pattern] = explode(' ', $route, 2);
            $expression = '#^' . preg_replace('/\{\w+\}/', '([^/]+)', $pattern) . '$#';
            if (preg_match($expression, $request->path, $found) !== 1) {
                continue;
            }
            $asked = $request->method === 'HEAD' ? 'GET' : $request->method;
            if ($method === $asked) {
                return [$pattern, static fn (): Response => $handler($request, ...array_slice($found, 1))];
            }
            $allowed[] = $method;
        }
        $error = $allowed === []
            ? new HttpError(404, 'there is nothing here')
            : new HttpError(405, 'this path allows ' . implode(', ', $allowed));
        return ['unmatched', static fn (): Response => throw $error];
    }
}
