-- +goose Up

-- Who may not buy for a while, and why.
create table abuse_blocks (
    id         uuid             not null,
    signal     text             not null,
    kind       text             not null,
    subject    text,
    sale_id    text             not null,
    reason     text             not null,
    score      double precision not null,
    state      text             not null default 'active',
    until      timestamptz      not null,
    created_at timestamptz      not null default now(),
    changed_at timestamptz      not null default now(),
    made_by    text             not null,
    made_key   text,
    made_mac   bytea,
    constraint abuse_blocks_pkey primary key (id),
    constraint abuse_blocks_signal_known check (signal in ('holds', 'payments', 'staff')),
    constraint abuse_blocks_kind_known check (kind in ('place', 'address', 'card')),
    constraint abuse_blocks_state_known check (state in ('active', 'lifted', 'over')),
    constraint abuse_blocks_reason_bounded check (length(reason) between 1 and 200),
    -- Whoever is blocked is known by name until it ends.
    constraint abuse_blocks_subject_known check (subject is not null or state <> 'active'),
    constraint abuse_blocks_made_once unique (made_by, made_key)
);
comment on table abuse_blocks is 'see package abuse';
comment on column abuse_blocks.subject is 'a place''s id; of an address or a card a keyed hash; null once it was erased';
comment on column abuse_blocks.sale_id is 'in which it came to this; empty: staff named none. The block holds in all';
comment on column abuse_blocks.score is 'points when the policy made it';
comment on column abuse_blocks.made_by is 'policy, or staff:NAME';
comment on column abuse_blocks.made_key is 'idempotency key of a request of the staff''s';
create unique index abuse_blocks_active_once on abuse_blocks (signal, kind, subject) where state = 'active';
create index abuse_blocks_changed on abuse_blocks (changed_at);
create index abuse_blocks_subject on abuse_blocks (kind, subject) where subject is not null;

-- What happened to a block and who did it, without whom it was for.
create table abuse_history (
    id       bigint      generated always as identity,
    block_id uuid        not null,
    entry    text        not null,
    who      text        not null,
    reason   text        not null,
    at       timestamptz not null default now(),
    constraint abuse_history_pkey primary key (id),
    constraint abuse_history_block_fkey foreign key (block_id) references abuse_blocks (id),
    constraint abuse_history_entry_known check (entry in ('blocked', 'lifted', 'over', 'erased')),
    constraint abuse_history_reason_bounded check (length(reason) <= 200)
);
comment on table abuse_history is 'only ever appended to';
create index abuse_history_block on abuse_history (block_id, id);

-- +goose StatementBegin
create function abuse_history_refuse() returns trigger language plpgsql as $$
begin
    raise exception 'abuse_history is append-only: % refused', tg_op using errcode = 'restrict_violation';
end
$$;
-- +goose StatementEnd
create trigger abuse_history_append_only before update or delete on abuse_history
    for each row execute function abuse_history_refuse();
create trigger abuse_history_no_truncate before truncate on abuse_history
    for each statement execute function abuse_history_refuse();
