-- +goose Up

-- Who works for an organization, or for whoever runs the installation, and the keys of
-- their programs: see package people.

create table memberships (
    person_id       uuid        not null,
    organization_id uuid,
    roles           text[]      not null,
    version         integer     not null default 1,
    who             text        not null,
    created_at      timestamptz not null default now(),
    constraint memberships_once unique nulls not distinct (person_id, organization_id),
    constraint memberships_person_fkey foreign key (person_id) references people (id) on delete cascade,
    constraint memberships_organization_fkey foreign key (organization_id) references organizations (id),
    constraint memberships_roles_some check (cardinality(roles) between 1 and 5),
    constraint memberships_roles_known check (roles <@ case when organization_id is null then array['sre', 'admin'] else array['organizer', 'venue', 'boxoffice', 'door'] end),
    constraint memberships_version_positive check (version >= 1)
);
comment on column memberships.organization_id is 'null: the installation itself';
comment on column memberships.who is 'who invited them';
create index memberships_organization on memberships (organization_id, person_id);

create table invitations (
    id              uuid        not null,
    organization_id uuid,
    email_mac       bytea       not null,
    sealed          bytea       not null,
    token_hash      bytea       not null,
    roles           text[]      not null,
    who             text        not null,
    created_at      timestamptz not null default now(),
    ends_at         timestamptz not null,
    constraint invitations_pkey primary key (id),
    constraint invitations_token_once unique (token_hash),
    constraint invitations_once unique nulls not distinct (organization_id, email_mac),
    constraint invitations_organization_fkey foreign key (organization_id) references organizations (id),
    constraint invitations_roles_some check (cardinality(roles) between 1 and 5),
    constraint invitations_roles_known check (roles <@ case when organization_id is null then array['sre', 'admin'] else array['organizer', 'venue', 'boxoffice', 'door'] end)
);
comment on column invitations.email_mac is 'a keyed hash of the address it went to: whoever takes it has the account of that';
comment on column invitations.sealed is 'the address, encrypted under people.key';
create index invitations_over on invitations (ends_at);

create table api_keys (
    id              uuid        not null,
    organization_id uuid        not null,
    name            text        not null,
    key_hash        bytea       not null,
    scopes          text[]      not null,
    who             text        not null,
    created_at      timestamptz not null default now(),
    seen_at         timestamptz,
    ends_at         timestamptz,
    revoked_at      timestamptz,
    constraint api_keys_pkey primary key (id),
    constraint api_keys_once unique (key_hash),
    constraint api_keys_organization_fkey foreign key (organization_id) references organizations (id),
    constraint api_keys_name_bounded check (length(name) between 1 and 100),
    constraint api_keys_scopes_some check (cardinality(scopes) between 1 and 20)
);
comment on column api_keys.key_hash is 'a keyed hash of the secret, which is kept nowhere';
comment on column api_keys.seen_at is 'when it was used last, to the minute';
create index api_keys_organization on api_keys (organization_id, id desc);

-- A letter may go to somebody who has no account yet.
alter table mails alter column person_id drop not null;

-- More kinds of change than there were, whichever those are.
-- +goose StatementBegin
do $$
declare
    known text;
begin
    select pg_get_constraintdef(oid) into known from pg_constraint
    where conrelid = 'catalogue_changes'::regclass and conname = 'catalogue_changes_what_known';
    alter table catalogue_changes drop constraint catalogue_changes_what_known;
    execute format('alter table catalogue_changes add constraint catalogue_changes_what_known check (what in (''organization'', ''member'', ''invitation'', ''key'') or %s)',
        substring(known from 'CHECK (.*)'));
end
$$;
-- +goose StatementEnd

-- +goose StatementBegin
do $$
declare
    name text;
begin
    foreach name in array array['memberships', 'invitations', 'api_keys'] loop
        execute format('alter table %I enable row level security', name);
        execute format('create policy tenant on %I to ropeline_tenant using (organization_id = tenant())', name);
    end loop;
end
$$;
-- +goose StatementEnd

-- What staff make is their organization's.
alter table sales alter column organization_id set default coalesce(tenant(), '00000000-0000-7000-8000-000000000001');
alter table shops alter column organization_id set default coalesce(tenant(), '00000000-0000-7000-8000-000000000001');
grant insert, update on shops to ropeline_tenant;

-- Who bought is known to the organization that sold.
alter table buyers enable row level security;
create policy tenant on buyers to ropeline_tenant using (exists (select from orders o where o.buyer_id = buyers.id));
grant select on buyers to ropeline_tenant;

-- Whoever plays in a venue that others may not play in any more still sees where it was:
-- what they have sold there is told with it.
create policy tenant_plays on venues for select to ropeline_tenant
    using (exists (select from performances p where p.venue_id = venues.id and p.organization_id = tenant()));
