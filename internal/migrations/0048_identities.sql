-- +goose Up

-- Who signs in with an account that they have elsewhere, by OpenID Connect: see package people.
create table identities (
    id          uuid        not null,
    person_id   uuid        not null,
    issuer      text        not null,
    subject_mac bytea       not null,
    created_at  timestamptz not null default now(),
    constraint identities_pkey primary key (id),
    constraint identities_once unique (subject_mac),
    constraint identities_one_each unique (person_id, issuer),
    constraint identities_person_fkey foreign key (person_id) references people (id) on delete cascade,
    constraint identities_issuer_bounded check (length(issuer) between 1 and 500)
);
comment on column identities.subject_mac is 'a keyed hash of issuer and of who they are there, which never changes, as an address may';
comment on constraint identities_one_each on identities is 'whom a provider gives the address of somebody who has left is not taken for them';

alter table sign_ins
    add column identity_id uuid,
    add column proven boolean not null default false,
    add constraint sign_ins_identity_fkey foreign key (identity_id) references identities (id) on delete cascade;
comment on column sign_ins.identity_id is 'with what was signed in; null: with the password. It ends with that';
comment on column sign_ins.proven is 'a provider has asked for a second factor, which counts as one of ours';
create index sign_ins_identity on sign_ins (identity_id) where identity_id is not null;

-- Nobody but the owner reads it: no tenant has a grant, and where one is given by mistake no row is shown.
alter table identities enable row level security;
