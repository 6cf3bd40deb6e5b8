-- +goose Up

-- Who has asked to be told when a sale of an event opens: see packages people and tidings.
create table event_watches (
    person_id uuid        not null,
    event_id  uuid        not null,
    since     timestamptz not null default now(),
    constraint event_watches_pkey primary key (person_id, event_id),
    constraint event_watches_person_fkey foreign key (person_id) references people (id) on delete cascade,
    constraint event_watches_event_fkey foreign key (event_id) references events (id) on delete cascade
);
create index event_watches_event on event_watches (event_id);

create table sale_openings (
    sale_id text        not null,
    told_at timestamptz not null default now(),
    constraint sale_openings_pkey primary key (sale_id),
    constraint sale_openings_sale_fkey foreign key (sale_id) references sales (id)
);
comment on table sale_openings is 'of which sales it was found out who is told that they open';
