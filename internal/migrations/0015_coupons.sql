-- +goose Up

-- Coupons. A coupon is what a shop offers; a copy of it is what somebody has in
-- their bag. A copy is a row in exactly one queue, that of its state, in the order
-- of since: so a counter is the length of a queue, no row counts anything, and
-- whoever claims takes the first copy that nobody else is taking.
--
-- These tables are of shops, not of a performance: a coupon may be used in many.
-- Everything is keyed by the coupon.

create table shops (
    id         text        not null,
    name       text        not null,
    created_at timestamptz not null default now(),
    constraint shops_pkey primary key (id),
    constraint shops_id_slug check (id ~ '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$'),
    constraint shops_name_present check (name <> '')
);

create table products (
    shop_id    text        not null,
    id         text        not null,
    name       text        not null,
    category   text        not null,
    event_id   uuid,
    created_at timestamptz not null default now(),
    constraint products_pkey primary key (shop_id, id),
    constraint products_shop_fkey foreign key (shop_id) references shops (id),
    constraint products_event_fkey foreign key (event_id) references events (id),
    constraint products_id_slug check (id ~ '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$'),
    constraint products_category_slug check (category ~ '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$'),
    constraint products_name_present check (name <> '')
);
comment on column products.event_id is 'whose tickets its coupons lower; null: they are for the shop''s till alone';
create index products_category on products (category, shop_id, id);

create table coupons (
    id             uuid        not null,
    shop_id        text        not null,
    product_id     text        not null,
    title          text        not null,
    percent        integer,
    amount         bigint,
    at_most        bigint      not null,
    currency       text        not null,
    price          bigint      not null,
    min_spend      bigint      not null,
    shareable      boolean     not null,
    stock          integer     not null,
    per_person     integer     not null,
    publish_from   timestamptz not null,
    publish_until  timestamptz not null,
    expires_at     timestamptz not null,
    use_within     integer,
    state          text        not null default 'created',
    performance_id uuid,
    tier_id        uuid,
    first_unit     integer,
    made_key       text        not null,
    made_mac       bytea       not null,
    created_at     timestamptz not null default now(),
    constraint coupons_pkey primary key (id),
    constraint coupons_made_once unique (shop_id, made_key),
    constraint coupons_product_fkey foreign key (shop_id, product_id) references products (shop_id, id),
    constraint coupons_tier_fkey foreign key (performance_id, tier_id) references tiers (performance_id, id),
    constraint coupons_tier_once unique (performance_id, tier_id),
    constraint coupons_tier_whole check (num_nonnulls(performance_id, tier_id, first_unit) in (0, 3)),
    constraint coupons_percent_or_amount check (num_nonnulls(percent, amount) = 1),
    constraint coupons_percent_range check (percent between 1 and 100),
    constraint coupons_money_range check (amount between 1 and 1000000000000 and at_most between 1 and 1000000000000
        and price between 0 and 1000000000000 and min_spend between 0 and 1000000000000),
    constraint coupons_currency_iso check (currency ~ '^[A-Z]{3}$'),
    constraint coupons_stock_range check (stock between 1 and 100000),
    constraint coupons_per_person_range check (per_person between 1 and 100),
    constraint coupons_times_in_order check (publish_from < publish_until and publish_until <= expires_at),
    constraint coupons_use_within_positive check (use_within > 0),
    constraint coupons_state_known check (state in ('created', 'published', 'expired', 'withdrawn'))
);
comment on column coupons.at_most is 'no discount is larger, in minor units: so no sum of a report can overflow';
comment on column coupons.price is 'what a copy costs; more than nothing: it is sold in a sale, as the units of a tier';
comment on column coupons.use_within is 'seconds after the claim; null: until expires_at';
comment on column coupons.first_unit is 'copy n is unit first_unit + n - 1 of the tier';
comment on column coupons.made_mac is 'hash of the request: the same idempotency key with another body is refused';
create index coupons_shelf on coupons (id) where state = 'published';
create index coupons_shop on coupons (shop_id, id);

create table coupon_copies (
    coupon_id      uuid        not null,
    number         integer     not null,
    state          text        not null default 'created',
    since          timestamptz not null default now(),
    mover          text        not null,
    bag            uuid,
    turn           integer     not null default 0,
    code_hash      bytea,
    expires_at     timestamptz,
    ticket_id      uuid,
    performance_id uuid,
    hold_id        uuid,
    session_id     text,
    until          timestamptz,
    order_id       uuid,
    discount       bigint,
    used_key       text,
    constraint coupon_copies_pkey primary key (coupon_id, number),
    constraint coupon_copies_coupon_fkey foreign key (coupon_id) references coupons (id),
    constraint coupon_copies_number_positive check (number >= 1),
    constraint coupon_copies_state_known
        check (state in ('created', 'published', 'claimed', 'reserved', 'redeemed', 'expired', 'withdrawn')),
    constraint coupon_copies_owned check (state not in ('claimed', 'reserved', 'redeemed')
        or num_nonnulls(bag, code_hash, expires_at) = 3),
    constraint coupon_copies_held check (state <> 'reserved' or num_nonnulls(performance_id, hold_id, session_id, until) = 4),
    constraint coupon_copies_discount_range check (discount between 0 and 1000000000000)
);
comment on column coupon_copies.mover is 'who moved it last: a bag, a member of staff, an order, or the clock';
comment on column coupon_copies.turn is 'goes up when it changes hands; its code is made of it, so that the old one is void';
comment on column coupon_copies.code_hash is 'keyed hash of its code: no code is kept';
comment on column coupon_copies.ticket_id is 'the ticket by which it was bought in a drop';
comment on column coupon_copies.hold_id is 'the hold it lowers, from its reservation on; it stays when the coupon ends meanwhile, so that nobody pays more than they were told';
comment on column coupon_copies.until is 'when the hold would run out; then somebody looks whether it did';
comment on column coupon_copies.order_id is 'the order that it lowered; free again when that is canceled (trigger orders_coupon)';
comment on column coupon_copies.used_key is 'idempotency key of the till';
-- The queues: each state's copies, first come first.
create index coupon_copies_queue on coupon_copies (coupon_id, state, since, number);
create index coupon_copies_bag on coupon_copies (bag, coupon_id, number) where bag is not null;
create unique index coupon_copies_code_once on coupon_copies (code_hash) where code_hash is not null;
create unique index coupon_copies_hold_once on coupon_copies (hold_id) where hold_id is not null;
create unique index coupon_copies_order_once on coupon_copies (order_id) where order_id is not null;
-- What the clock looks for.
create index coupon_copies_reserved on coupon_copies (until) where state = 'reserved';
create index coupon_copies_ends on coupon_copies (expires_at) where state in ('claimed', 'reserved');

create table coupon_claims (
    coupon_id uuid        not null,
    bag       uuid        not null,
    nth       integer     not null,
    key       text        not null,
    number    integer,
    at        timestamptz not null default now(),
    -- Whatever comes at once: a bag has an nth copy once, and nth is at most per_person.
    constraint coupon_claims_pkey primary key (coupon_id, bag, nth),
    -- No reference to coupons here and in the history: each claim would lock that one row.
    constraint coupon_claims_key_once unique (coupon_id, bag, key)
);
comment on table coupon_claims is 'who got a copy, by claim or from somebody else; only ever grows';
comment on column coupon_claims.number is 'the copy; set in the transaction that makes the row';

create sequence coupon_history_id;
create table coupon_history (
    coupon_id uuid        not null,
    id        bigint      not null default nextval('coupon_history_id'),
    number    integer,
    entry     text        not null,
    who       text        not null,
    detail    text        not null default '',
    at        timestamptz not null,
    constraint coupon_history_pkey primary key (coupon_id, id),
    constraint coupon_history_entry_known check (entry in
        ('created', 'published', 'withdrawn', 'claimed', 'passed_on', 'reserved', 'returned', 'redeemed', 'expired'))
);
alter sequence coupon_history_id owned by coupon_history.id;
comment on table coupon_history is 'what happened to coupons and to copies that somebody had, only ever appended to; pseudonymous ids only';
comment on column coupon_history.number is 'null: of the coupon itself';
create index coupon_history_copy on coupon_history (coupon_id, number, id);

-- +goose StatementBegin
create function coupon_copy_moved() returns trigger language plpgsql as $$
declare
    entry text := new.state;
begin
    if old.state = new.state then
        if old.bag is not distinct from new.bag then
            return null;
        end if;
        entry := 'passed_on';
    elsif (old.state, new.state) in (('reserved', 'claimed'), ('redeemed', 'claimed')) then
        entry := 'returned';
    elsif (old.state, new.state) not in (('created', 'published'), ('created', 'withdrawn'),
            ('published', 'claimed'), ('published', 'expired'), ('published', 'withdrawn'),
            ('claimed', 'reserved'), ('claimed', 'redeemed'), ('claimed', 'expired'), ('claimed', 'withdrawn'),
            ('reserved', 'redeemed'), ('reserved', 'expired'), ('reserved', 'withdrawn')) then
        raise exception 'a coupon''s copy does not go from % to %', old.state, new.state using errcode = 'restrict_violation';
    end if;
    -- What nobody has moves with its coupon, which has an entry of its own.
    if new.bag is not null then
        insert into coupon_history (coupon_id, number, entry, who, detail, at)
        values (new.coupon_id, new.number, entry, new.mover, coalesce(case entry
            when 'redeemed' then coalesce(new.order_id::text, new.used_key)
            when 'reserved' then new.hold_id::text end, ''), new.since);
    end if;
    return null;
end
$$;

-- Whoever cancels an order gives its coupon back, in the same transaction.
create function coupon_order_canceled() returns trigger language plpgsql as $$
begin
    update coupon_copies set state = 'claimed', since = now(), mover = order_id::text, order_id = null, discount = null,
        performance_id = null, hold_id = null, session_id = null, until = null
    where order_id = new.id and state = 'redeemed';
    return null;
end
$$;

create function coupon_history_refuse() returns trigger language plpgsql as $$
begin
    raise exception 'coupon_history is append-only: % refused', tg_op using errcode = 'restrict_violation';
end
$$;
-- +goose StatementEnd

create trigger coupon_copies_moved after update of state, bag on coupon_copies
    for each row execute function coupon_copy_moved();
create trigger orders_coupon after update of state on orders
    for each row when (new.state = 'canceled' and old.state <> 'canceled') execute function coupon_order_canceled();
create trigger coupon_history_append_only before update or delete on coupon_history
    for each row execute function coupon_history_refuse();
create trigger coupon_history_no_truncate before truncate on coupon_history
    for each statement execute function coupon_history_refuse();
