<?php

declare(strict_types=1);

namespace Shop;

use RuntimeException;

/** Mail through a relay (MAIL_HOST, MAIL_PORT) by SMTP, RFC 5321. Without MAIL_HOST nothing is sent and nothing fails. */
final class Mailer
{
    private const TIMEOUT = 3; // seconds, for connecting and for each answer

    public function __construct(private readonly Config $config)
    {
    }

    /** @throws RuntimeException when the relay does not take the mail */
    public function send(string $to, string $subject, string $text): void
    {
        $host = $this->config->get('MAIL_HOST');
        if ($host === null) {
            return;
        }
        $from = $this->config->get('MAIL_FROM_ADDRESS', 'shop@localhost');
        $socket = @stream_socket_client("tcp://$host:{$this->config->int('MAIL_PORT', 25)}", $code, $error, self::TIMEOUT);
        if ($socket === false) {
            throw new RuntimeException("cannot connect to the mail relay: $error");
        }
        try {
            stream_set_timeout($socket, self::TIMEOUT);
            $message = "From: <$from>\r\nTo: <$to>\r\nSubject: $subject\r\nDate: " . date(DATE_RFC2822)
                . "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n$text\r\n.";
            $this->expect($socket, '220');
            foreach ([
                ["HELO {$this->config->host()}", '250'],
                ["MAIL FROM:<$from>", '250'],
                ["RCPT TO:<$to>", '250'],
                ['DATA', '354'],
                [$message, '250'],
                ['QUIT', '221'],
            ] as [$line, $answer]) {
                fwrite($socket, "$line\r\n");
                $this->expect($socket, $answer);
            }
        } finally {
            fclose($socket);
        }
    }

    /** @param resource $socket */
    private function expect($socket, string $code): void
    {
        do {
            $line = (string) fgets($socket, 1024);
        } while (substr($line, 3, 1) === '-');
        if (!str_starts_with($line, $code)) {
            throw new RuntimeException("the mail relay said '" . trim($line) . "' instead of $code");
        }
    }
}
