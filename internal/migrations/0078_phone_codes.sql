-- +goose Up

-- A phone is texted once whoever gave its number has typed a code that was texted there:
-- anybody can give anybody's number (see package mail). What is proven is the number that is
-- sealed here: when channels has another it counts for nothing, whoever has written that. So
-- numbers of before are not proven.
create table phone_proofs (
    person_id uuid        not null,
    sealed    bytea       not null,
    ends_at   timestamptz,
    tries     integer     not null default 0,
    constraint phone_proofs_pkey primary key (person_id),
    constraint phone_proofs_person_fkey foreign key (person_id) references people (id)
);
comment on table phone_proofs is 'the phone numbers that people have proven to be theirs, or are proving';
comment on column phone_proofs.sealed is 'the number, and the code until it was typed';
comment on column phone_proofs.ends_at is 'until when the code is good; null: it was typed, and the number is proven';

-- How many codes were sent, within a day of the first.
create table code_counts (
    who   bytea       not null,
    since timestamptz not null default now(),
    sent  integer     not null default 1,
    constraint code_counts_pkey primary key (who)
);
comment on column code_counts.who is 'HMAC of an account or of a number; empty: all';
create index code_counts_old on code_counts (since);

-- Whether anybody hands over text messages: nobody is promised a code otherwise.
create table text_gateways (
    one     boolean     not null default true,
    seen_at timestamptz not null,
    constraint text_gateways_pkey primary key (one),
    constraint text_gateways_one check (one)
);

-- What waits for a gateway, or may be sent again, goes to numbers that nobody has proven.
update mails set state = 'failed', sealed = null, problem = 'the number is not confirmed', updated_at = now() where state <> 'sent' and cause like '%:text';
