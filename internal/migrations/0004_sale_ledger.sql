-- +goose Up

-- The public ledgers of sales, for good: Redis may lose what it has of them.
-- Entries are kept as they are published; an entry's hash covers the one before it.
create table sale_ledger (
    sale_id     text        not null,
    seq         bigint      not null,
    hash        bytea       not null,
    entry       text        not null,
    event       text,
    archived_at timestamptz not null default now(),
    -- Two heads of one ledger cannot both be kept. No reference to sales: what
    -- cannot be entered would be lost.
    constraint sale_ledger_pkey primary key (sale_id, seq),
    constraint sale_ledger_seq_from_one check (seq >= 1),
    constraint sale_ledger_hash_sha256 check (length(hash) = 32)
) partition by hash (sale_id);
comment on table sale_ledger is 'the public ledger of each sale, only ever appended to; it names nobody';
comment on column sale_ledger.entry is 'canonical JSON (RFC 8785) as it is published';
comment on column sale_ledger.event is 'id in the stream of events up to which everything is in the ledger with this entry';

-- +goose StatementBegin
create function sale_ledger_refuse() returns trigger language plpgsql as $$
begin
    raise exception 'sale_ledger is append-only: % refused', tg_op using errcode = 'restrict_violation';
end
$$;
-- +goose StatementEnd

-- As of order_ledger: row triggers reach the partitions, TRUNCATE's must be set on each.
create trigger sale_ledger_append_only before update or delete on sale_ledger
    for each row execute function sale_ledger_refuse();
create trigger sale_ledger_no_truncate before truncate on sale_ledger
    for each statement execute function sale_ledger_refuse();

-- +goose StatementBegin
do $$
declare
    child text;
begin
    for i in 0 .. 15 loop
        child := 'sale_ledger_p' || lpad(i::text, 2, '0');
        execute format('create table %I partition of sale_ledger for values with (modulus 16, remainder %s)', child, i);
        execute format('create trigger sale_ledger_no_truncate before truncate on %I '
            'for each statement execute function sale_ledger_refuse()', child);
    end loop;
end
$$;
-- +goose StatementEnd
