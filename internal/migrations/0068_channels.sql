-- +goose Up

-- How somebody who has an account wants to be told: see package mail. Who has said nothing is
-- told by mail. The number is sealed, and forgotten with the account.
create table channels (
    person_id  uuid        not null,
    sealed     bytea,
    texts      text[]      not null,
    silent     text[]      not null,
    updated_at timestamptz not null default now(),
    constraint channels_pkey primary key (person_id),
    constraint channels_person_fkey foreign key (person_id) references people (id),
    constraint channels_number check (sealed is not null or texts = '{}')
);
comment on column channels.texts is 'kinds of which they are told by text message, too';
comment on column channels.silent is 'kinds of which no mail is sent: they are in the inbox alone';
