<?php

declare(strict_types=1);

// What an application does that its way in must bear: large answers and bodies, long work, streams, files of users.

$path = (string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$number = static fn (string $name): int => (int) ($_GET[$name] ?? 0);
$say = static function (mixed $value): void {
    header('Content-Type: application/json');
    echo json_encode($value, JSON_THROW_ON_ERROR), "\n";
};

switch ($path) {
    case '/health':
        $say('ok');
        break;
    case '/server':
        $say(array_filter($_SERVER, is_string(...)));
        break;
    case '/answer':
        header('Content-Type: application/octet-stream');
        $block = random_bytes(2 ** 20);
        for ($sent = 0; $sent < $number('mb'); $sent++) {
            echo $block;
        }
        break;
    case '/body':
        $size = 0;
        $body = fopen('php://input', 'rb');
        while (!feof($body)) {
            $size += strlen((string) fread($body, 65536));
        }
        $say(['raw' => $size, 'files' => array_map(static fn (array $file): array => [$file['size'], $file['error']], $_FILES)]);
        break;
    case '/work':
        usleep($number('ms') * 1000);
        $say(['worked' => $number('ms')]);
        break;
    case '/stream':
        header('Content-Type: text/event-stream');
        for ($event = 0; $event < 3; $event++) {
            echo "data: $event\n\n";
            @ob_flush();
            flush();
            usleep($number('ms') * 1000);
        }
        break;
    case '/keep':
        $say(file_put_contents(getenv('UPLOADS_DIR') . '/kept.txt', 'kept'));
        break;
    case '/settings':
        $say([
            'opcache' => opcache_get_configuration()['directives'],
            'free' => opcache_get_status(false)['memory_usage']['free_memory'],
            'ini' => ini_get_all(null, false),
        ]);
        break;
    default:
        http_response_code(404);
        $say('nothing here');
}
