<?php

declare(strict_types=1);

namespace Shop;

use Shop\Data\RedisConnection;
use Shop\Http\HttpError;
use Shop\Http\Request;
use Shop\Http\Response;
use Shop\Monitoring\Counters;
use Throwable;

/** Login by a code sent by mail. Only a keyed hash of the code is kept, for five minutes and five attempts. */
final class Login
{
    private const LIFETIME = 300; // seconds
    private const ATTEMPTS = 5;

    public function __construct(
        private readonly Config $config,
        private readonly RedisConnection $redis,
        private readonly Mailer $mailer,
        private readonly Counters $counters,
    ) {
    }

    public function requestCode(Request $request): Response
    {
        $email = $this->email($request->json());
        $code = sprintf('%06d', random_int(0, 999999));
        $key = $this->key($email);
        $this->redis->retry(fn ($redis) => $redis->multi()
            ->del($key)
            ->hMSet($key, ['hash' => $this->hash($email, $code), 'attempts' => 0])
            ->expire($key, self::LIFETIME)
            ->exec());
        try {
            $this->mailer->send($email, 'Your code', "Your code is $code. It is valid for five minutes.");
            $this->counters->add('mails_sent');
        } catch (Throwable $error) {
            $this->counters->add('mail_failures');
            error_log("mail: {$error->getMessage()}");
            throw new HttpError(503, 'the mail with the code could not be sent; try again');
        }
        return Response::json(['status' => 'sent'], 202);
    }

    public function redeemCode(Request $request): Response
    {
        $body = $request->json();
        $email = $this->email($body);
        $code = is_string($body['code'] ?? null) ? $body['code'] : '';
        $key = $this->key($email);
        $redis = $this->redis->client();
        $kept = $redis->hGet($key, 'hash');
        $allowed = is_string($kept) && $redis->hIncrBy($key, 'attempts', 1) <= self::ATTEMPTS;
        if (!$allowed || !hash_equals($kept, $this->hash($email, $code)) || $redis->del($key) !== 1) {
            $this->counters->add('otp_failures');
            throw new HttpError(401, 'the code is wrong or too old');
        }
        $token = bin2hex(random_bytes(32));
        $redis->setex('shop:session:' . hash('sha256', $token), 86400, $email);
        return Response::json(['token' => $token]);
    }

    /** @param array<string, mixed> $body */
    private function email(array $body): string
    {
        $email = filter_var($body['email'] ?? null, FILTER_VALIDATE_EMAIL);
        return is_string($email) ? strtolower($email) : throw new HttpError(422, 'send {"email": address}');
    }

    private function key(string $email): string
    {
        return 'shop:otp:' . $this->hash($email, '');
    }

    private function hash(string $email, string $code): string
    {
        return hash_hmac('sha256', "$email\0$code", $this->config->require('APP_KEY'));
    }
}
