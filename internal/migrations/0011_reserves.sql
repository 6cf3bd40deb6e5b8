-- +goose Up

-- Units that are not on sale, or not yet: blocked, kept for guests or for the
-- production, batches that are released later. What they withhold is the union of
-- those in force. A reserve never changes but in when it is released, so whoever
-- knows which ones are in force knows the units.
create table reserves (
    performance_id uuid           not null,
    id             uuid           not null,
    name           text           not null,
    kind           text           not null,
    units          int4multirange not null,
    release_at     timestamptz,
    created_at     timestamptz    not null default now(),
    constraint reserves_pkey primary key (performance_id, id),
    constraint reserves_performance_fkey foreign key (performance_id) references performances (id),
    constraint reserves_name_once unique (performance_id, name),
    constraint reserves_name_present check (name <> ''),
    constraint reserves_kind_known check (kind in ('blocked', 'guests', 'production', 'batch')),
    constraint reserves_units_some check (not isempty(units) and lower(units) >= 0)
);
comment on column reserves.release_at is 'from then on its units are on sale; null: until somebody releases it';
