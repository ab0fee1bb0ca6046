-- no-transaction
-- The scheduler looks for pending orders every two seconds; finished ones must not slow that down.
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_pending ON orders (created_at) WHERE status = 'pending';
