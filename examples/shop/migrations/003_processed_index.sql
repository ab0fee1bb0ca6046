-- no-transaction
-- Reports by day.
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_processed_at ON orders (processed_at) WHERE processed_at IS NOT NULL;
