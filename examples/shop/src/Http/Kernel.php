<?php

declare(strict_types=1);

namespace Shop\Http;

use PDOException;
use RedisException;
use Shop\Chaos;
use Shop\Config;
use Shop\Data\Bulkhead;
use Shop\Data\Database;
use Shop\Data\DatabaseAway;
use Shop\Data\DatabaseProbe;
use Shop\Data\RedisConnection;
use Shop\Login;
use Shop\Mailer;
use Shop\Monitoring\Counters;
use Shop\Monitoring\HttpMetrics;
use Shop\Monitoring\Monitoring;
use Shop\Orders;
use Shop\Queue\Queue;
use Shop\Uploads;
use Throwable;

/** One request: route, trouble on purpose, handler, answer, then what may happen after the answer. */
final class Kernel
{
    public function __construct(
        private readonly Config $config,
        private readonly Router $router,
        private readonly Chaos $chaos,
        private readonly HttpMetrics $metrics,
    ) {
    }

    /** Everything is wired here; connections open when first used. */
    public static function create(Config $config): self
    {
        $probe = new DatabaseProbe($config);
        $database = Database::pooled($config, persistent: true, bulkhead: new Bulkhead($probe));
        $redis = new RedisConnection($config, persistent: true);
        $counters = new Counters($redis);
        $queue = new Queue($redis);
        $metrics = new HttpMetrics();
        $chaos = new Chaos($config, $redis);
        $orders = new Orders($database, $queue);
        $uploads = new Uploads($config);
        $login = new Login($config, $redis, new Mailer($config), $counters);
        $monitoring = new Monitoring($config, $probe, $queue, $counters, $metrics);
        $home = new Home($config);
        return new self($config, new Router([
            'GET /' => $home->page(...),
            'GET /health' => $monitoring->alive(...),
            'GET /api/health' => $monitoring->connected(...),
            'GET /api/monitoring/health' => $monitoring->ready(...),
            'GET /api/monitoring/metrics' => $monitoring->metrics(...),
            'GET /api/monitoring/performance' => $monitoring->performance(...),
            'POST /api/orders' => $orders->create(...),
            'GET /api/orders/{id}' => $orders->show(...),
            'POST /api/uploads' => $uploads->store(...),
            'GET /uploads/{name}' => $uploads->show(...),
            'POST /api/login/otp' => $login->requestCode(...),
            'POST /api/login' => $login->redeemCode(...),
            'GET /api/chaos' => $chaos->show(...),
            'POST /api/chaos' => $chaos->change(...),
        ]), $chaos, $metrics);
    }

    public function run(): void
    {
        $started = (float) ($_SERVER['REQUEST_TIME_FLOAT'] ?? microtime(true));
        $request = Request::fromGlobals();
        [$route, $handler] = $this->router->match($request);
        $response = $this->answer($route, $handler);
        $response->headers += [
            'X-App-Version' => $this->config->version(),
            'X-App-Host' => $this->config->host(),
            'X-Content-Type-Options' => 'nosniff',
            'Cache-Control' => 'no-store',
        ];
        $response->send();
        $this->metrics->observe($request->method, $route, $response->status, microtime(true) - $started);
        if ($response->afterwards !== null) {
            try {
                ($response->afterwards)();
            } catch (Throwable $error) {
                error_log("after $route: {$error->getMessage()}");
            }
        }
    }

    private function answer(string $route, callable $handler): Response
    {
        try {
            return $this->chaos->trouble($route) ?? $handler();
        } catch (HttpError $error) {
            return Response::json(['error' => $error->getMessage()], $error->status);
        } catch (Throwable $error) {
            error_log(sprintf('%s: %s: %s at %s:%d', $route, $error::class, $error->getMessage(), $error->getFile(), $error->getLine()));
            $away = $error instanceof RedisException || $error instanceof DatabaseAway || ($error instanceof PDOException && Database::isTransient($error));
            return $away
                ? Response::json(['error' => 'a service this needs is away; try again'], 503, ['Retry-After' => '1'])
                : Response::json(['error' => 'something failed here; it has been logged'], 500);
        }
    }
}
