-- +goose Up

-- Accounts of fans: see package people. What is known of a person is sealed with a key of
-- that person alone, which is wrapped under people.key, a file: a copy of this database
-- tells nobody's name without it, and who is erased cannot be read any more.

create table people (
    id           uuid        not null,
    email_mac    bytea,
    wrapped      bytea,
    sealed       bytea,
    password     text        not null default '',
    state        text        not null default 'new',
    version      integer     not null default 1,
    created_at   timestamptz not null default now(),
    confirmed_at timestamptz,
    erased_at    timestamptz,
    constraint people_pkey primary key (id),
    constraint people_email_once unique (email_mac),
    constraint people_state_known check (state in ('new', 'active', 'closed', 'erased')),
    constraint people_erased check ((state = 'erased') = (sealed is null and wrapped is null and email_mac is null and password = ''))
);
comment on table people is 'the only table with what is known of a person, beside buyers: everything else names them by this random id';
comment on column people.email_mac is 'a keyed hash of the address: by it an account is found';
comment on column people.wrapped is 'the key of this person, encrypted under people.key';
comment on column people.sealed is 'the profile, encrypted with that key';
comment on column people.password is 'argon2id in its usual form; empty: none, they come in another way';
comment on column people.state is 'new: the address is not confirmed; closed: staff has shut them out; erased: only the id is left, which ledgers refer to';

-- What a letter carries: who opens its link proves that the address is theirs.
create table letters (
    token_hash bytea       not null,
    person_id  uuid        not null,
    purpose    text        not null,
    sealed     bytea,
    password   text        not null default '',
    ends_at    timestamptz not null,
    used_at    timestamptz,
    created_at timestamptz not null default now(),
    constraint letters_pkey primary key (token_hash),
    constraint letters_person_fkey foreign key (person_id) references people (id) on delete cascade,
    constraint letters_purpose_known check (purpose in ('confirm', 'reset', 'email'))
);
comment on column letters.sealed is 'another address, or the profile of a new account, sealed with the person''s key';
comment on column letters.password is 'of a new account: what was registered counts for the letter that was sent for it';
create index letters_over on letters (ends_at);
create index letters_person on letters (person_id, purpose);

-- Letters that are to be sent, and for a while those that were.
create table mails (
    id         uuid        not null,
    person_id  uuid        not null,
    sealed     bytea,
    state      text        not null default 'due',
    tries      integer     not null default 0,
    next_at    timestamptz not null default now(),
    give_up_at timestamptz not null,
    problem    text        not null default '',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint mails_pkey primary key (id),
    constraint mails_person_fkey foreign key (person_id) references people (id) on delete cascade,
    constraint mails_state_known check (state in ('due', 'sent', 'failed')),
    constraint mails_sealed_while_due check ((state = 'due') = (sealed is not null))
);
comment on column mails.sealed is 'address and text, encrypted under people.key; forgotten once it is sent or given up';
comment on column mails.next_at is 'when it is tried next; while it is tried: when another may take it';
comment on column mails.give_up_at is 'when what it carries is over';
create index mails_due on mails (next_at) where state = 'due';
create index mails_old on mails (updated_at) where state <> 'due';
create index mails_person on mails (person_id);

create table sign_ins (
    id         uuid        not null,
    person_id  uuid        not null,
    token_hash bytea       not null,
    agent      text        not null default '',
    waits      boolean     not null default false,
    tries      integer     not null default 0,
    created_at timestamptz not null default now(),
    seen_at    timestamptz not null default now(),
    ends_at    timestamptz not null,
    constraint sign_ins_pkey primary key (id),
    constraint sign_ins_token_once unique (token_hash),
    constraint sign_ins_person_fkey foreign key (person_id) references people (id) on delete cascade,
    constraint sign_ins_agent_bounded check (length(agent) <= 200)
);
comment on column sign_ins.waits is 'for the second factor: until then it opens nothing';
comment on column sign_ins.tries is 'of the second factor';
create index sign_ins_person on sign_ins (person_id, created_at desc);

create table second_factors (
    person_id    uuid        not null,
    sealed       bytea       not null,
    last_step    bigint      not null default 0,
    confirmed_at timestamptz,
    constraint second_factors_pkey primary key (person_id),
    constraint second_factors_person_fkey foreign key (person_id) references people (id) on delete cascade
);
comment on column second_factors.sealed is 'the secret of the authenticator, sealed with the person''s key';
comment on column second_factors.last_step is 'the period whose code was used last: no code is good twice';
create table recovery_codes (
    person_id uuid        not null,
    code_hash bytea       not null,
    used_at   timestamptz,
    constraint recovery_codes_pkey primary key (person_id, code_hash),
    constraint recovery_codes_person_fkey foreign key (person_id) references people (id) on delete cascade
);

alter table buyers
    add column person_id uuid,
    add constraint buyers_person_fkey foreign key (person_id) references people (id);
comment on column buyers.person_id is 'the account that bought; null: a guest';
create index buyers_person on buyers (person_id) where person_id is not null;
-- By these a confirmed account finds what its address has bought as a guest.
create index buyers_guest on buyers (lower(email)) where person_id is null and email <> '';
create index orders_buyer on orders (buyer_id);
create index sign_ins_over on sign_ins (ends_at);
create index people_new on people (created_at) where state = 'new';
