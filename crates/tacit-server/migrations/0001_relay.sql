-- One schema for SQLite and PostgreSQL. Times are seconds since 1970; ids, keys and digests are raw bytes.

-- One row: what every change reads and locks first, so that changes happen one after another in both databases.
CREATE TABLE usage (
    only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
    next_seq BIGINT NOT NULL,
    stored_bytes BIGINT NOT NULL,
    cards BIGINT NOT NULL
);
INSERT INTO usage (only_row, next_seq, stored_bytes, cards) VALUES (1, 1, 0, 0);

CREATE TABLE cards (
    id BYTEA PRIMARY KEY,
    seq BIGINT NOT NULL,
    owner TEXT NOT NULL,
    owner_key BYTEA NOT NULL,
    name TEXT NOT NULL,
    engines TEXT NOT NULL,
    weights TEXT NOT NULL,
    published_at BIGINT NOT NULL,
    waiting BIGINT NOT NULL,
    provider_issued BIGINT,
    provider_expires BIGINT,
    provider BYTEA,
    json BYTEA NOT NULL,
    points BYTEA
);
CREATE INDEX cards_by_seq ON cards (seq);
CREATE INDEX cards_by_owner ON cards (owner);

-- state: 0 waits for an answer, 1 is answered, 2 is gone (deleted or expired) and only remembered.
-- due: when the sweeper must look at the row next. size: bytes that the row stores now.
CREATE TABLE requests (
    id BYTEA PRIMARY KEY,
    seq BIGINT NOT NULL,
    card_id BYTEA NOT NULL,
    state BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    due BIGINT NOT NULL,
    forget_at BIGINT NOT NULL,
    size BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    worker BYTEA,
    capability_hash BYTEA NOT NULL,
    sealed BYTEA,
    response BYTEA
);
CREATE INDEX requests_waiting ON requests (card_id, state, seq);
CREATE INDEX requests_by_due ON requests (due);

CREATE TABLE nonces (
    owner TEXT NOT NULL,
    nonce BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (owner, nonce)
);
CREATE INDEX nonces_by_expiry ON nonces (expires_at);
