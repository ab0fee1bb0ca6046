<?php

declare(strict_types=1);

namespace Shop;

use finfo;
use Shop\Http\HttpError;
use Shop\Http\Request;
use Shop\Http\Response;

/** Files from customers: kept under the hash of their content, so that sending one twice stores it once. */
final class Uploads
{
    private const TYPES = [
        'image/jpeg' => 'jpg',
        'image/png' => 'png',
        'image/webp' => 'webp',
        'application/pdf' => 'pdf',
        'text/plain' => 'txt',
    ];

    public function __construct(private readonly Config $config)
    {
    }

    /** Takes a form field `file`, or the file as the whole body. The type is read from the content, not believed. */
    public function store(Request $request): Response
    {
        $limit = $this->config->int('UPLOAD_MAX_BYTES', 5 * 1024 * 1024);
        $directory = $this->directory();
        $partial = tempnam($directory, '.partial-');
        try {
            $size = $this->receive($partial, $limit + 1);
            if ($size > $limit) {
                throw new HttpError(413, "the file is larger than $limit bytes");
            }
            if ($size === 0) {
                throw new HttpError(400, 'send a form field "file", or the file as the body');
            }
            $type = (new finfo(FILEINFO_MIME_TYPE))->file($partial);
            $extension = self::TYPES[$type] ?? throw new HttpError(415, 'send one of ' . implode(', ', array_keys(self::TYPES)));
            $name = hash_file('sha256', $partial) . ".$extension";
            chmod($partial, 0o640);
            rename($partial, "$directory/$name");
        } finally {
            if (is_file($partial)) {
                unlink($partial);
            }
        }
        return Response::json(['name' => $name, 'bytes' => $size, 'type' => $type], 201, ['Location' => "/uploads/$name"]);
    }

    public function show(Request $request, string $name): Response
    {
        $path = $this->directory() . "/$name";
        if (preg_match('/^[0-9a-f]{64}\.([a-z]{3,4})$/', $name, $found) !== 1 || !is_file($path)) {
            throw new HttpError(404, 'there is no such file');
        }
        return Response::file($path, (string) array_search($found[1], self::TYPES, true));
    }

    private function directory(): string
    {
        $directory = $this->config->get('UPLOADS_DIR', '/srv/uploads');
        return is_writable($directory) ? $directory : throw new HttpError(503, 'the place for uploads is not writable');
    }

    /** Copies at most $limit bytes of what was sent into $path and returns how many. */
    private function receive(string $path, int $limit): int
    {
        $form = $_FILES['file'] ?? null;
        if ($form !== null && $form['error'] !== UPLOAD_ERR_OK) {
            $large = in_array($form['error'], [UPLOAD_ERR_INI_SIZE, UPLOAD_ERR_FORM_SIZE], true);
            throw new HttpError($large ? 413 : 400, $large ? 'the file is larger than PHP takes' : 'the file did not arrive whole');
        }
        $source = fopen($form['tmp_name'] ?? 'php://input', 'rb');
        $target = fopen($path, 'wb');
        $size = stream_copy_to_stream($source, $target, $limit);
        fclose($source);
        fclose($target);
        return (int) $size;
    }
}
