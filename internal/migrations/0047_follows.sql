-- +goose Up

-- Which performers an account follows.
create table follows (
    person_id    uuid        not null,
    performer_id uuid        not null,
    since        timestamptz not null default now(),
    constraint follows_pkey primary key (person_id, performer_id),
    constraint follows_person_fkey foreign key (person_id) references people (id) on delete cascade,
    constraint follows_performer_fkey foreign key (performer_id) references performers (id) on delete cascade
);
create index follows_performer on follows (performer_id);
