-- +goose Up

-- What was told to who has an account, as they read it there: see package mail. Sealed as
-- letters are, and forgotten with the account, or after 90 days.
create table inbox (
    id         uuid        not null,
    person_id  uuid        not null,
    sealed     bytea       not null,
    created_at timestamptz not null default now(),
    read_at    timestamptz,
    constraint inbox_pkey primary key (id),
    constraint inbox_person_fkey foreign key (person_id) references people (id)
);
comment on column inbox.id is 'of the letter';
create index inbox_person on inbox (person_id, id);
create index inbox_unread on inbox (person_id) where read_at is null;
create index inbox_old on inbox (created_at);

-- What an organization does may end in a letter; nobody of its staff reads what is kept.
grant insert on inbox to ropeline_tenant;
alter table inbox enable row level security;
create policy writes on inbox for insert to ropeline_tenant with check (true);
