-- +goose Up

-- Presale codes: what was issued, and which places have used it. Redis answers the
-- fans from a copy, and is given it back from here when it has lost it.
create table lane_code_batches (
    sale_id text        not null,
    batch   text        not null,
    lane    text        not null,
    uses    bigint      not null,
    from_at timestamptz,
    until_at timestamptz,
    revoked boolean     not null default false,
    made_at timestamptz not null default now(),
    constraint lane_code_batches_pkey primary key (sale_id, batch),
    constraint lane_code_batches_uses_positive check (uses >= 1)
);
comment on column lane_code_batches.uses is 'of each code';
comment on column lane_code_batches.until_at is 'null: as long as the sale';

create table lane_codes (
    sale_id text    not null,
    hash    text    not null,
    batch   text    not null,
    revoked boolean not null default false,
    -- A code is of one batch of its sale.
    constraint lane_codes_pkey primary key (sale_id, hash),
    constraint lane_codes_batch_known foreign key (sale_id, batch) references lane_code_batches,
    constraint lane_codes_hash_of_128_bits check (length(hash) = 22)
);
create index lane_codes_batch on lane_codes (sale_id, batch, hash);
comment on column lane_codes.hash is 'HMAC-SHA-256 with a key of the sale, 16 bytes of it in base64url: no code is kept';

create table lane_code_uses (
    sale_id text        not null,
    place   text        not null,
    hash    text        not null,
    kept_at timestamptz not null default now(),
    -- A place uses one code, once. No reference to codes: what cannot be entered
    -- would be lost.
    constraint lane_code_uses_pkey primary key (sale_id, place)
);
comment on column lane_code_uses.place is 'the one that brought the code: pseudonymous, as in draw_entrants';
comment on column lane_code_uses.kept_at is 'a moment after the use, later if this database was away';
