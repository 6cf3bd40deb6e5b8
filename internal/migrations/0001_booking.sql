-- +goose Up

-- What is sold (the catalogue) and what was sold (orders). A unit, one sellable
-- place, is a number 0 … n-1 within its performance: it needs no row of its own
-- until somebody buys it. Holds live in Redis; the last guard against selling a
-- unit twice is the index tickets_unit_once below.
--
-- Every table that grows with a sale carries performance_id in its keys and is
-- hash-partitioned by it, so that a distributed Postgres can spread it unchanged.

create table venues (
    id         uuid        not null,
    name       text        not null,
    created_at timestamptz not null default now(),
    constraint venues_pkey primary key (id),
    constraint venues_name_present check (name <> '')
);

create table events (
    id         uuid        not null,
    title      text        not null,
    created_at timestamptz not null default now(),
    constraint events_pkey primary key (id),
    constraint events_title_present check (title <> '')
);

create table performances (
    id         uuid        not null,
    event_id   uuid        not null,
    venue_id   uuid        not null,
    starts_at  timestamptz not null,
    units      integer     not null,
    created_at timestamptz not null default now(),
    constraint performances_pkey primary key (id),
    constraint performances_event_fkey foreign key (event_id) references events (id),
    constraint performances_venue_fkey foreign key (venue_id) references venues (id),
    -- 4,000,000 units are bitmaps of 500 KB; more belong in several performances.
    constraint performances_units_range check (units between 1 and 4000000)
);
comment on column performances.units is 'how many units there are; their numbers are 0 … units-1';
create index performances_event on performances (event_id, starts_at);

create table tiers (
    performance_id uuid    not null,
    id             uuid    not null,
    name           text    not null,
    kind           text    not null,
    first_unit     integer not null,
    units          integer not null,
    amount         bigint  not null,
    currency       text    not null,
    constraint tiers_pkey primary key (performance_id, id),
    constraint tiers_performance_fkey foreign key (performance_id) references performances (id),
    constraint tiers_kind_known check (kind in ('seated', 'general')),
    constraint tiers_range check (first_unit >= 0 and units >= 1),
    constraint tiers_amount_not_negative check (amount >= 0),
    constraint tiers_currency_iso check (currency ~ '^[A-Z]{3}$')
);
comment on column tiers.first_unit is 'a tier is one contiguous run of units: first_unit … first_unit+units-1';
comment on column tiers.amount is 'price of one unit in minor units of the currency (cents)';
create unique index tiers_first_unit_once on tiers (performance_id, first_unit);

create table seat_rows (
    performance_id uuid             not null,
    first_unit     integer          not null,
    units          integer          not null,
    tier_id        uuid             not null,
    section        text             not null,
    name           text             not null,
    rank           integer          not null,
    x              double precision not null,
    y              double precision not null,
    dx             double precision not null,
    dy             double precision not null,
    constraint seat_rows_pkey primary key (performance_id, first_unit),
    constraint seat_rows_tier_fkey foreign key (performance_id, tier_id) references tiers (performance_id, id),
    constraint seat_rows_range check (first_unit >= 0 and units >= 1),
    constraint seat_rows_name_once unique (performance_id, section, name)
);
comment on table seat_rows is 'a row is a straight, contiguous run of seats; general-admission tiers have none';
comment on column seat_rows.rank is 'best available takes the lowest rank first';
comment on column seat_rows.x is 'seat i of the row lies at (x + i*dx, y + i*dy), in units of about one seat''s width';

create table sales (
    id         text        not null,
    version    bigint      not null,
    document   jsonb       not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint sales_pkey primary key (id),
    constraint sales_id_slug check (id ~ '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$'),
    constraint sales_version_positive check (version >= 1)
);
comment on column sales.document is 'the settings document, ropeline.Sale as JSON; the newest version wins';

create table sale_performances (
    sale_id        text not null,
    performance_id uuid not null,
    -- One sale at a time sells a performance, so a performance names its sale.
    constraint sale_performances_pkey primary key (performance_id),
    constraint sale_performances_sale_fkey foreign key (sale_id) references sales (id),
    constraint sale_performances_performance_fkey foreign key (performance_id) references performances (id)
);
create index sale_performances_sale on sale_performances (sale_id);

create table buyers (
    id         uuid        not null,
    email      text        not null,
    created_at timestamptz not null default now(),
    constraint buyers_pkey primary key (id),
    constraint buyers_email_shape check (email like '%_@_%' and length(email) <= 254)
);
comment on table buyers is 'the only table with personal data: everything else names a buyer by this random id';

create table attempts (
    performance_id  uuid        not null,
    id              uuid        not null,
    hold_id         uuid        not null,
    sale_id         text        not null,
    session_id      text        not null,
    place_id        text        not null,
    idempotency_key text        not null,
    request_mac     bytea       not null,
    units           integer[]   not null,
    amount          bigint      not null,
    currency        text        not null,
    method          text        not null,
    state           text        not null,
    outcome         text        not null default '',
    provider_ref    text        not null default '',
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    constraint attempts_pkey primary key (performance_id, id),
    -- A session repeats its request with the same key to learn what became of it.
    constraint attempts_key_once unique (performance_id, session_id, idempotency_key),
    constraint attempts_state_known check (state in ('started', 'recorded', 'captured', 'done', 'voiding', 'closed')),
    constraint attempts_units_some check (cardinality(units) between 1 and 100),
    constraint attempts_amount_not_negative check (amount >= 0),
    constraint attempts_currency_iso check (currency ~ '^[A-Z]{3}$')
) partition by hash (performance_id);
comment on table attempts is 'one row per attempt to pay for a hold, written before the provider is first called';
comment on column attempts.id is 'idempotency key and metadata at the payment provider';
comment on column attempts.request_mac is 'keyed hash of the request: the same idempotency key with another body is refused';
comment on column attempts.state is
    'started: the provider may have been called; recorded: order and unpaid tickets are written; captured: paid, tickets valid; done: Redis knows too; voiding: will never be recorded, hold and provider still have to be looked at; closed: failed, and nothing is left to do';
comment on column attempts.outcome is 'problem code that answered a failed attempt, for repeats of the request';
comment on column attempts.updated_at is 'last step; the settler takes open attempts that have not moved for a while';
-- A hold is paid once: a second attempt may only start when the first has failed.
create unique index attempts_one_per_hold on attempts (performance_id, hold_id)
    where state in ('started', 'recorded', 'captured', 'done');
-- What the settler and the inventory look for; final states leave the index.
create index attempts_open on attempts (updated_at)
    where state in ('started', 'recorded', 'captured', 'voiding');

create table orders (
    performance_id uuid        not null,
    id             uuid        not null,
    sale_id        text        not null,
    session_id     text        not null,
    place_id       text        not null,
    attempt_id     uuid        not null,
    buyer_id       uuid        not null,
    state          text        not null,
    amount         bigint      not null,
    currency       text        not null,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    constraint orders_pkey primary key (performance_id, id),
    constraint orders_attempt_once unique (performance_id, attempt_id),
    constraint orders_performance_fkey foreign key (performance_id) references performances (id),
    constraint orders_attempt_fkey foreign key (performance_id, attempt_id) references attempts (performance_id, id),
    constraint orders_buyer_fkey foreign key (buyer_id) references buyers (id),
    constraint orders_state_known check (state in ('pending', 'paid', 'canceled')),
    constraint orders_amount_not_negative check (amount >= 0),
    constraint orders_currency_iso check (currency ~ '^[A-Z]{3}$')
) partition by hash (performance_id);
comment on column orders.state is 'pending: authorized and recorded, not yet captured; paid: captured; canceled: the capture became impossible';
-- An order link knows the order's id only.
create index orders_id on orders (id);

create table tickets (
    performance_id uuid        not null,
    id             uuid        not null,
    order_id       uuid        not null,
    unit           integer     not null,
    tier_id        uuid        not null,
    label          text        not null,
    amount         bigint      not null,
    currency       text        not null,
    state          text        not null,
    code           text        not null,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    constraint tickets_pkey primary key (performance_id, id),
    constraint tickets_code_once unique (performance_id, code),
    constraint tickets_order_fkey foreign key (performance_id, order_id) references orders (performance_id, id),
    constraint tickets_tier_fkey foreign key (performance_id, tier_id) references tiers (performance_id, id),
    constraint tickets_unit_not_negative check (unit >= 0),
    constraint tickets_state_known check (state in ('unpaid', 'valid', 'canceled')),
    constraint tickets_amount_not_negative check (amount >= 0),
    constraint tickets_currency_iso check (currency ~ '^[A-Z]{3}$'),
    constraint tickets_code_random check (length(code) >= 26)
) partition by hash (performance_id);
comment on column tickets.state is 'unpaid tickets never scan and never show their code';
comment on column tickets.label is 'what the fan reads, as it was when sold: section-row-seat';
comment on column tickets.amount is 'price as it was when sold, in minor units';
comment on column tickets.code is 'random secret in the QR code, 128 bits or more';
-- The last guard: whatever Redis says, a unit has at most one living ticket. It
-- is partial so that a canceled unit can be sold again.
create unique index tickets_unit_once on tickets (performance_id, unit) where state <> 'canceled';
create index tickets_order on tickets (performance_id, order_id);
create index tickets_id on tickets (id);

create sequence order_ledger_id;
create table order_ledger (
    performance_id uuid        not null,
    id             bigint      not null default nextval('order_ledger_id'),
    order_id       uuid        not null,
    entry          text        not null,
    amount         bigint      not null,
    currency       text        not null,
    at             timestamptz not null default now(),
    constraint order_ledger_pkey primary key (performance_id, id),
    constraint order_ledger_order_fkey foreign key (performance_id, order_id) references orders (performance_id, id),
    constraint order_ledger_entry_known check (entry in ('placed', 'authorized', 'captured', 'canceled')),
    constraint order_ledger_currency_iso check (currency ~ '^[A-Z]{3}$')
) partition by hash (performance_id);
alter sequence order_ledger_id owned by order_ledger.id;
comment on table order_ledger is 'what happened to orders and money, only ever appended to; pseudonymous ids only';
comment on column order_ledger.entry is
    'placed: amount owed; authorized: amount the provider reserved; captured: amount the provider took; canceled: amount no longer owed';
create index order_ledger_order on order_ledger (performance_id, order_id);

-- The sandbox provider's own books. They stand for a foreign system: nothing
-- refers to them, they are written in transactions of their own, and only
-- package sandbox and audits read them.
create table sandbox_payments (
    id         uuid        not null,
    attempt_id uuid        not null,
    amount     bigint      not null,
    currency   text        not null,
    state      text        not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint sandbox_payments_pkey primary key (id),
    constraint sandbox_payments_attempt_once unique (attempt_id),
    constraint sandbox_payments_amount_not_negative check (amount >= 0),
    constraint sandbox_payments_state_known check (state in ('authorized', 'captured', 'voided', 'declined'))
);

-- +goose StatementBegin
create function order_ledger_refuse() returns trigger language plpgsql as $$
begin
    raise exception 'order_ledger is append-only: % refused', tg_op using errcode = 'restrict_violation';
end
$$;
-- +goose StatementEnd

-- Row triggers of a partitioned table reach its partitions by themselves;
-- statement triggers (TRUNCATE has no other kind) must be set on each.
create trigger order_ledger_append_only before update or delete on order_ledger
    for each row execute function order_ledger_refuse();
create trigger order_ledger_no_truncate before truncate on order_ledger
    for each statement execute function order_ledger_refuse();

-- +goose StatementBegin
do $$
declare
    parent text;
    child  text;
begin
    foreach parent in array array['attempts', 'orders', 'tickets', 'order_ledger'] loop
        for i in 0 .. 15 loop
            child := parent || '_p' || lpad(i::text, 2, '0');
            execute format('create table %I partition of %I for values with (modulus 16, remainder %s)', child, parent, i);
            if parent = 'order_ledger' then
                execute format('create trigger order_ledger_no_truncate before truncate on %I '
                    'for each statement execute function order_ledger_refuse()', child);
            end if;
        end loop;
    end loop;
end
$$;
-- +goose StatementEnd
