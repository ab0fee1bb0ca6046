CREATE TABLE products (
    sku text PRIMARY KEY,
    name text NOT NULL,
    price_cents integer NOT NULL CHECK (price_cents > 0)
);

CREATE TABLE orders (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    idempotency_key text NOT NULL UNIQUE,
    sku text NOT NULL REFERENCES products,
    quantity integer NOT NULL CHECK (quantity BETWEEN 1 AND 100),
    total_cents integer NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processed', 'failed', 'expired')),
    created_at timestamptz NOT NULL DEFAULT now(),
    queued_at timestamptz,
    processed_at timestamptz,
    processed_by text
);

-- Processing an order of the product "faulty" always fails: it is there to see failed jobs.
INSERT INTO products (sku, name, price_cents) VALUES
    ('tea', 'Tea, 100 g', 690),
    ('coffee', 'Coffee, 500 g', 1290),
    ('cup', 'Cup', 950),
    ('faulty', 'A product that cannot be processed', 1);
