-- +goose Up

-- Who has no account and wants to be told when a sale of an event opens: see package wish. A
-- letter asks first whether that is so; the address is sealed, and forgotten with the letter
-- that tells it.
create table opening_wishes (
    id        uuid        not null,
    event_id  uuid        not null,
    email_mac bytea       not null,
    sealed    bytea       not null,
    language  text        not null,
    state     text        not null default 'asked',
    asked_at  timestamptz not null default now(),
    constraint opening_wishes_pkey primary key (id),
    constraint opening_wishes_once unique (event_id, email_mac),
    constraint opening_wishes_event_fkey foreign key (event_id) references events (id) on delete cascade,
    constraint opening_wishes_state_known check (state in ('asked', 'given'))
);
create index opening_wishes_of_address on opening_wishes (email_mac, asked_at);
create index opening_wishes_old on opening_wishes (asked_at);
comment on column opening_wishes.email_mac is 'HMAC of the address, by which there is one of an event';
comment on column opening_wishes.asked_at is 'when the letter was written that asks; another is on another day';
