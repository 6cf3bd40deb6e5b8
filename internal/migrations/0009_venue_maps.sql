-- +goose Up

-- The seat maps of venues. A performance is made from one version and copies what
-- it needs of it: tiers and rows, numbered. No version is ever changed, since what
-- was sold refers to it.
create table venue_maps (
    venue_id   uuid        not null,
    version    integer     not null,
    document   jsonb       not null,
    created_at timestamptz not null default now(),
    constraint venue_maps_pkey primary key (venue_id, version),
    constraint venue_maps_venue_fkey foreign key (venue_id) references venues (id),
    constraint venue_maps_version_positive check (version >= 1)
);
comment on column venue_maps.document is 'the seat map as it is imported and exported, see docs/venues.md';

alter table performances
    add column venue_version integer,
    add constraint performances_venue_map_fkey foreign key (venue_id, venue_version) references venue_maps (venue_id, version);
comment on column performances.venue_version is 'the version of the venue''s map that it was made from; null: it was made before there were any';

-- An aisle, or seats of another tier, part a row into several runs.
alter table seat_rows
    drop constraint seat_rows_name_once,
    add column seats      text[],
    add column places     double precision[],
    add column accessible integer[] not null default '{}',
    add column companion  integer[] not null default '{}',
    add column restricted integer[] not null default '{}',
    add constraint seat_rows_seats_each check (cardinality(seats) = units),
    add constraint seat_rows_places_each check (cardinality(places) = 2 * units);
comment on table seat_rows is 'a run of neighbors in a row of seats; general-admission tiers have none';
comment on column seat_rows.x is
    'seat i of the row lies at (x + i*dx, y + i*dy), in units of about one seat''s width, unless places says where';
comment on column seat_rows.seats is 'what each seat is called; null: 1, 2, 3 …';
comment on column seat_rows.places is 'x and y of each seat in turns; null: they are in a straight line';
comment on column seat_rows.accessible is 'which seats, from 0, are places for a wheelchair; companion and restricted (view) likewise';
