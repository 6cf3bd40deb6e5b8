-- +goose Up

-- Who waits for units that come free after their tier was sold out, in the order in
-- which they joined. What came free and belongs to nobody yet is in Redis alone, and is
-- found there again by whoever compares it with what is sold.
create table returns_tiers (
    performance_id uuid        not null,
    tier_id        uuid        not null,
    sold_out_at    timestamptz not null default now(),
    constraint returns_tiers_pkey primary key (performance_id, tier_id),
    constraint returns_tiers_tier_fkey foreign key (performance_id, tier_id) references tiers (performance_id, id)
);
comment on table returns_tiers is 'tiers that were sold out when somebody joined their list: from then on the list has what comes free, before the open sale';

create sequence returns_order;

create table returns_entries (
    performance_id  uuid        not null,
    id              uuid        not null,
    number          bigint      not null default nextval('returns_order'),
    person          text        not null,
    email           text        not null,
    tier_id         uuid        not null,
    quantity        integer     not null,
    together        boolean     not null,
    idempotency_key text        not null,
    request_mac     bytea       not null,
    state           text        not null default 'waiting',
    hold_id         uuid,
    units           integer[],
    expires_at      timestamptz,
    joined_at       timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    constraint returns_entries_pkey primary key (performance_id, id),
    constraint returns_entries_tier_fkey foreign key (performance_id, tier_id) references returns_tiers (performance_id, tier_id),
    constraint returns_entries_key_once unique (performance_id, person, idempotency_key),
    constraint returns_entries_quantity_range check (quantity between 1 and 100),
    constraint returns_entries_state_known check (state in ('waiting', 'offering', 'offered', 'claimed', 'bought', 'lapsed', 'left', 'closed')),
    constraint returns_entries_hold_of_offer check ((hold_id is null) = (state = 'waiting') or state in ('left', 'closed')),
    constraint returns_entries_units_of_offer check (state not in ('offered', 'claimed', 'bought') or cardinality(units) = quantity and expires_at is not null),
    constraint returns_entries_email_while_live check ((email <> '') = (state in ('waiting', 'offering', 'offered', 'claimed')))
) partition by hash (performance_id);
comment on column returns_entries.number is 'the order of the list';
comment on column returns_entries.person is 'keyed hash of the e-mail address: one place of each person and performance';
comment on column returns_entries.email is 'where offers are to be sent; forgotten when the place is over';
comment on column returns_entries.state is
    'waiting; offering: units are about to be taken for hold_id, or not, which whoever finds it does again; offered: they are held; claimed: the fan pays; bought, lapsed, left; closed: the performance has begun';
comment on column returns_entries.expires_at is 'how long the offer is good if Redis has lost its hold, whose own time rules otherwise';
create unique index returns_entries_person_once on returns_entries (performance_id, person) where state in ('waiting', 'offering', 'offered', 'claimed');
-- One offer is made at a time, so nobody is offered before who stands in front.
create unique index returns_entries_offering_once on returns_entries (performance_id) where state = 'offering';
create index returns_entries_waiting on returns_entries (performance_id, tier_id, number) where state = 'waiting';
create index returns_entries_offers on returns_entries (performance_id, number) where state in ('offering', 'offered', 'claimed');
create index returns_entries_id on returns_entries (id);
create index returns_entries_hold on returns_entries (hold_id) where hold_id is not null;

-- What happened to each place of a list, in its order: for staff, and for whoever sends
-- mail (event offered), who remembers up to which id it was sent.
create table returns_history (
    performance_id uuid        not null,
    id             bigint      not null generated always as identity,
    entry_id       uuid        not null,
    event          text        not null,
    hold_id        uuid,
    units          integer[],
    at             timestamptz not null default now(),
    constraint returns_history_pkey primary key (performance_id, id)
);
comment on column returns_history.event is 'the state that the place came to; withdrawn: an offer was lost before it was made, or with Redis, and the place waits again where it stood';
create index returns_history_entry on returns_history (performance_id, entry_id, id);

-- +goose StatementBegin
do $$
begin
    for i in 0 .. 15 loop
        execute format('create table returns_entries_p%s partition of returns_entries for values with (modulus 16, remainder %s)', lpad(i::text, 2, '0'), i);
    end loop;
end
$$;

create function returns_entry_moved() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' then
        if old.state = new.state then
            return null;
        elsif (old.state, new.state) not in (('waiting', 'offering'), ('waiting', 'left'), ('waiting', 'closed'),
                ('offering', 'offered'), ('offering', 'waiting'),
                ('offered', 'claimed'), ('offered', 'bought'), ('offered', 'lapsed'), ('offered', 'left'), ('offered', 'waiting'),
                ('claimed', 'bought'), ('claimed', 'lapsed'), ('claimed', 'left'), ('claimed', 'waiting')) then
            raise exception 'a place of a returns list does not go from % to %', old.state, new.state;
        elsif new.state = 'offering' or (old.state, new.state) = ('offering', 'waiting') then
            return null; -- nobody heard of it
        end if;
    end if;
    insert into returns_history (performance_id, entry_id, event, hold_id, units)
    values (new.performance_id, new.id, case when tg_op = 'UPDATE' and new.state = 'waiting' then 'withdrawn' else new.state end, new.hold_id, new.units);
    return null;
end
$$;

create trigger returns_entries_moved after insert or update on returns_entries for each row execute function returns_entry_moved();

create function returns_history_kept() returns trigger language plpgsql as $$
begin
    raise exception 'the history of a returns list is never changed';
end
$$;

create trigger returns_history_kept before update or delete on returns_history for each row execute function returns_history_kept();
create trigger returns_history_not_emptied before truncate on returns_history execute function returns_history_kept();
-- +goose StatementEnd
