<?php

declare(strict_types=1);

namespace Shop;

use RedisException;
use Shop\Data\Database;
use Shop\Http\HttpError;
use Shop\Http\Request;
use Shop\Http\Response;
use Shop\Queue\Queue;

/**
 * Orders. The guarantee: an order that was acknowledged is processed exactly once.
 *
 * The order's row is its own outbox: it is committed before the answer, with `queued_at` empty. The job is queued after
 * the answer; when that fails, or Redis forgets, the scheduler queues every pending order again (see Scheduler). Jobs may
 * therefore come twice, and processing changes a row only while it is pending, so the effect happens once.
 */
final class Orders
{
    public function __construct(private readonly Database $database, private readonly Queue $queue)
    {
    }

    /** The same Idempotency-Key gives the same order, however often it is sent (draft-ietf-httpapi-idempotency-key-header). */
    public function create(Request $request): Response
    {
        $key = $request->header('Idempotency-Key') ?? throw new HttpError(400, 'send an Idempotency-Key header, such as a UUID');
        if (strlen($key) > 200) {
            throw new HttpError(400, 'the Idempotency-Key is longer than 200 characters');
        }
        $body = $request->json();
        [$sku, $quantity] = [$body['sku'] ?? null, $body['quantity'] ?? 1];
        if (!is_string($sku) || !is_int($quantity) || $quantity < 1 || $quantity > 100) {
            throw new HttpError(422, 'send {"sku": text, "quantity": whole number from 1 to 100}');
        }
        $values = ['key' => $key, 'sku' => $sku, 'quantity' => $quantity];
        $created = $this->database->row(
            'INSERT INTO orders (idempotency_key, sku, quantity, total_cents)
             SELECT :key, sku, :quantity::int, price_cents * :quantity::int FROM products WHERE sku = :sku
             ON CONFLICT (idempotency_key) DO NOTHING
             RETURNING id, sku, quantity, total_cents, status',
            $values,
        );
        if ($created !== null) {
            $id = $created['id'];
            return Response::json($created, 201, ['Location' => "/api/orders/$id"], fn () => $this->enqueue($id));
        }
        $existing = $this->database->row(
            'SELECT id, sku, quantity, total_cents, status FROM orders WHERE idempotency_key = :key',
            ['key' => $key],
        );
        if ($existing === null) {
            throw new HttpError(422, 'there is no such product');
        }
        if ($existing['sku'] !== $sku || (int) $existing['quantity'] !== $quantity) {
            throw new HttpError(422, 'this Idempotency-Key was used for a different order');
        }
        return Response::json($existing, 200, ['Idempotent-Replayed' => 'true']);
    }

    public function show(Request $request, string $id): Response
    {
        $order = preg_match('/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/', $id) !== 1 ? null : $this->database->row(
            'SELECT id, sku, quantity, total_cents, status, created_at, processed_at, processed_by FROM orders WHERE id = :id',
            ['id' => $id],
        );
        return Response::json($order ?? throw new HttpError(404, 'there is no such order'));
    }

    private function enqueue(string $id): void
    {
        try {
            $this->queue->push($id);
        } catch (RedisException $error) {
            error_log("order $id stays for the scheduler: {$error->getMessage()}");
            return;
        }
        $this->database->run('UPDATE orders SET queued_at = now() WHERE id = :id', ['id' => $id]);
    }
}
