<?php

declare(strict_types=1);

namespace Shop\Http;

use Shop\Config;

/** The front page: static, so that it answers when nothing else does. */
final class Home
{
    public function __construct(private readonly Config $config)
    {
    }

    public function page(): Response
    {
        $version = htmlspecialchars($this->config->version());
        $host = htmlspecialchars($this->config->host());
        return Response::text(<<<HTML
            <!doctype html>
            <html lang="en">
            <meta charset="utf-8">
            <title>Shop</title>
            <h1>Shop</h1>
            <p>Order tea, coffee or a cup: <code>POST /api/orders</code>.</p>
            <footer>version $version on $host</footer>
            </html>

            HTML, 'text/html; charset=utf-8');
    }
}
