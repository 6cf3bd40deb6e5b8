-- +goose Up

-- What is on, as people read it: see package guide. What is sold of it, and for how much,
-- is the program's (0024) and the tiers'.
--
-- Foreign keys are checked past row-level security. So those to what is an organization's
-- own are of its id as well, or anybody could refer to what they cannot see.

create table categories (
    id       text    not null,
    name     text    not null,
    parent   text,
    position integer not null default 0,
    constraint categories_pkey primary key (id),
    constraint categories_parent_fkey foreign key (parent) references categories (id),
    constraint categories_id_slug check (id ~ '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$'),
    constraint categories_name_present check (name <> ''),
    constraint categories_not_its_own check (parent <> id)
);
comment on table categories is 'of events; an installation''s own, which its organizers choose from';
insert into categories (id, name, position) values
    ('music', 'Music', 10), ('theater', 'Theater', 20), ('comedy', 'Comedy', 30), ('sport', 'Sport', 40),
    ('family', 'Family', 50), ('festival', 'Festivals', 60), ('talk', 'Talks', 70), ('other', 'Other', 80);

-- What of an upload is shown: drawn anew, in a few widths (package picture).
create table pictures (
    id              uuid        not null,
    organization_id uuid        not null default coalesce(tenant(), '00000000-0000-7000-8000-000000000001'),
    file_hash       bytea       not null,
    what            text        not null default '',
    created_at      timestamptz not null default now(),
    constraint pictures_pkey primary key (id),
    constraint pictures_organization_fkey foreign key (organization_id) references organizations (id),
    constraint pictures_of_organization unique (organization_id, id),
    constraint pictures_once unique (organization_id, file_hash)
);
comment on column pictures.file_hash is 'SHA-256 of the upload: the same file again is the same picture';
comment on column pictures.what is 'what can be seen, for who cannot see it';
create table picture_sizes (
    picture_id uuid    not null,
    width      integer not null,
    height     integer not null,
    jpeg       bytea   not null,
    constraint picture_sizes_pkey primary key (picture_id, width),
    constraint picture_sizes_picture_fkey foreign key (picture_id) references pictures (id) on delete cascade
);

create table performers (
    id              uuid        not null,
    organization_id uuid        not null default coalesce(tenant(), '00000000-0000-7000-8000-000000000001'),
    version         integer     not null default 1,
    name            text        not null,
    about           text        not null default '',
    links           text[]      not null default '{}',
    picture_id      uuid,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    constraint performers_pkey primary key (id),
    constraint performers_organization_fkey foreign key (organization_id) references organizations (id),
    constraint performers_picture_fkey foreign key (organization_id, picture_id) references pictures (organization_id, id),
    constraint performers_name_bounded check (length(name) between 1 and 200),
    constraint performers_about_bounded check (length(about) <= 10000),
    constraint performers_version_positive check (version >= 1)
);
comment on column performers.organization_id is 'who edits it; any organization may have it in its events';

create table tours (
    id              uuid        not null,
    organization_id uuid        not null default coalesce(tenant(), '00000000-0000-7000-8000-000000000001'),
    version         integer     not null default 1,
    name            text        not null,
    about           text        not null default '',
    picture_id      uuid,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    constraint tours_pkey primary key (id),
    constraint tours_of_organization unique (organization_id, id),
    constraint tours_organization_fkey foreign key (organization_id) references organizations (id),
    constraint tours_picture_fkey foreign key (organization_id, picture_id) references pictures (organization_id, id),
    constraint tours_name_bounded check (length(name) between 1 and 200),
    constraint tours_about_bounded check (length(about) <= 10000),
    constraint tours_version_positive check (version >= 1)
);

alter table events
    alter column organization_id set default coalesce(tenant(), '00000000-0000-7000-8000-000000000001'),
    add column version      integer     not null default 1,
    add column state        text        not null default 'published',
    add column about        text        not null default '',
    add column category_id  text        not null default 'other',
    add column tour_id      uuid,
    add column picture_id   uuid,
    add column metadata     jsonb       not null default '{}',
    add column published_at timestamptz default now(),
    add column updated_at   timestamptz not null default now(),
    add constraint events_state_known check (state in ('draft', 'published', 'postponed', 'canceled')),
    add constraint events_category_fkey foreign key (category_id) references categories (id),
    add constraint events_tour_fkey foreign key (organization_id, tour_id) references tours (organization_id, id),
    add constraint events_picture_fkey foreign key (organization_id, picture_id) references pictures (organization_id, id),
    add constraint events_about_bounded check (length(about) <= 10000),
    add constraint events_metadata_bounded check (jsonb_typeof(metadata) = 'object' and length(metadata::text) <= 16384),
    add constraint events_version_positive check (version >= 1);
comment on column events.state is
    'draft: nobody but its organizer sees it; published; postponed: it will be later, tickets stay good; canceled: what was sold is refunded. What was ever published is no draft again';
comment on column events.metadata is 'what the organizer keeps with it: names and texts';
create index events_tour on events (tour_id) where tour_id is not null;

create table event_performers (
    event_id     uuid    not null,
    performer_id uuid    not null,
    position     integer not null,
    constraint event_performers_pkey primary key (event_id, performer_id),
    constraint event_performers_event_fkey foreign key (event_id) references events (id) on delete cascade,
    constraint event_performers_performer_fkey foreign key (performer_id) references performers (id)
);
create index event_performers_performer on event_performers (performer_id);

alter table performances
    add column state    text        not null default 'scheduled',
    add column doors_at timestamptz,
    add column ends_at  timestamptz,
    add column was_at   timestamptz,
    add constraint performances_state_known check (state in ('scheduled', 'postponed', 'canceled')),
    add constraint performances_doors_before check (doors_at <= starts_at),
    add constraint performances_end_after check (ends_at > starts_at);
comment on column performances.state is 'postponed: starts_at is not known yet and means nothing';
comment on column performances.was_at is 'when it was to start, if it was moved';
create index performances_venue on performances (venue_id, starts_at);

-- Whether anything of a performance may be sold now: a checkout asks it last.
create function on_sale(performance uuid) returns boolean language sql stable as $$
    select p.state = 'scheduled' and e.state = 'published' from performances p join events e on e.id = p.event_id where p.id = performance
$$;

update venues set organization_id = '00000000-0000-7000-8000-000000000001' where organization_id is null;
alter table venues
    alter column organization_id set default coalesce(tenant(), '00000000-0000-7000-8000-000000000001'),
    alter column organization_id set not null,
    add column open       boolean not null default true,
    add column details    integer not null default 1,
    add column about      text    not null default '',
    add column address    text    not null default '',
    add column city       text    not null default '',
    add column country    text    not null default '',
    add column latitude   double precision,
    add column longitude  double precision,
    add column time_zone  text    not null default 'UTC',
    add column picture_id uuid,
    add constraint venues_picture_fkey foreign key (organization_id, picture_id) references pictures (organization_id, id),
    add constraint venues_details_positive check (details >= 1),
    add constraint venues_about_bounded check (length(about) <= 10000),
    add constraint venues_address_bounded check (length(address) <= 500 and length(city) <= 100),
    add constraint venues_country_iso check (country ~ '^([A-Z]{2})?$'),
    add constraint venues_on_earth check (latitude between -90 and 90 and longitude between -180 and 180 and (latitude is null) = (longitude is null));
comment on column venues.organization_id is 'who manages it';
comment on column venues.open is 'other organizations may play there';
comment on column venues.details is 'the version of all of this; the seat map has versions of its own';
comment on column venues.time_zone is 'IANA; whatever happens there is told in it';

-- The venue's manager says that an event may have a version of the seat map.
create table venue_approvals (
    venue_id        uuid        not null,
    version         integer     not null,
    event_id        uuid        not null,
    approved        boolean     not null,
    who             text        not null,
    reason          text        not null default '',
    at              timestamptz not null default now(),
    constraint venue_approvals_pkey primary key (venue_id, version, event_id),
    constraint venue_approvals_map_fkey foreign key (venue_id, version) references venue_maps (venue_id, version),
    constraint venue_approvals_event_fkey foreign key (event_id) references events (id) on delete cascade
);

alter table catalogue_changes
    alter column organization_id set default tenant(),
    drop constraint catalogue_changes_what_known,
    add constraint catalogue_changes_what_known check (what in ('venue', 'program', 'reserve', 'release', 'plan', 'subscription',
        'event', 'performer', 'tour', 'picture', 'details', 'state', 'approval', 'organization'));

-- Everybody may read performers and categories, and pictures by their ids; each changes their own.
-- +goose StatementBegin
do $$
declare
    name text;
    what text;
begin
    for name, what in
        select t, 'organization_id = tenant()' from unnest(array['tours', 'pictures']) t
        union all select 'event_performers', 'exists (select from events e where e.id = event_id)'
        union all select 'picture_sizes', 'exists (select from pictures p where p.id = picture_id)'
    loop
        execute format('alter table %I enable row level security', name);
        execute format('create policy tenant on %I to ropeline_tenant using (%s)', name, what);
        execute format('grant select, insert, update, delete on %I to ropeline_tenant', name);
    end loop;
end
$$;
-- +goose StatementEnd
alter table venue_approvals enable row level security;
create policy tenant on venue_approvals for select to ropeline_tenant
    using (exists (select from events e where e.id = event_id) or exists (select from venues v where v.id = venue_id and v.organization_id = tenant()));
create policy tenant_changes on venue_approvals to ropeline_tenant
    using (exists (select from venues v where v.id = venue_id and v.organization_id = tenant()));
grant select, insert, update on venue_approvals to ropeline_tenant;
alter table performers enable row level security;
create policy tenant on performers for select to ropeline_tenant using (true);
create policy tenant_changes on performers to ropeline_tenant using (organization_id = tenant());
grant select, insert, update, delete on performers to ropeline_tenant;
alter table categories enable row level security;
create policy tenant on categories for select to ropeline_tenant using (true);
grant select on categories to ropeline_tenant;
drop policy tenant on venues;
create policy tenant on venues to ropeline_tenant using (open or organization_id = tenant()) with check (organization_id = tenant());
-- Nobody makes a version of the seat map of another's house.
create policy tenant_changes on venue_maps as restrictive for insert to ropeline_tenant
    with check (exists (select from venues v where v.id = venue_id and v.organization_id = tenant()));
grant insert, update, delete on events to ropeline_tenant;
grant insert, update on venues, programs to ropeline_tenant;
grant insert on venue_maps to ropeline_tenant;
grant insert, update on performances, sales, sale_performances, tiers, seat_rows, reserves to ropeline_tenant;
grant insert on catalogue_changes to ropeline_tenant;

-- Plans are everybody's to read. What an account has of them is its organization's, and
-- the house's, who keeps the accounts of all.
create function tenant_account(account text) returns boolean language sql stable as $$
    select tenant() = '00000000-0000-7000-8000-000000000001' or exists (select from organizations o where o.account = tenant_account.account)
$$;
-- +goose StatementBegin
do $$
declare
    name text;
    what text;
begin
    for name, what in
        select 'plans', 'true'
        union all select 'payment_accounts', 'tenant_account(name)'
        union all select t, 'tenant_account(account)' from unnest(array['subscriptions', 'plan_periods', 'rooms']) t
    loop
        execute format('alter table %I enable row level security', name);
        execute format('create policy tenant on %I to ropeline_tenant using (%s)', name, what);
        execute format('grant select on %I to ropeline_tenant', name);
    end loop;
end
$$;
-- +goose StatementEnd
grant insert, update on subscriptions, plan_periods, rooms to ropeline_tenant;
grant update on payment_accounts to ropeline_tenant;

-- That a house is taken is no secret, whose show it is may be: this looks at all rows, and
-- tells the title to whose it is alone.
-- +goose StatementBegin
create function venue_clashes(venue uuid, at timestamptz, apart interval, but uuid[])
returns table (performance_id uuid, title text, starts_at timestamptz) language sql stable security definer set search_path from current as $$
    select p.id, case when tenant() is null or e.organization_id = tenant() then e.title else '' end, p.starts_at
    from performances p join events e on e.id = p.event_id
    where p.venue_id = venue and p.state = 'scheduled' and p.starts_at > at - apart and p.starts_at < at + apart and p.id <> all(but)
$$;
-- +goose StatementEnd
grant execute on function venue_clashes to ropeline_tenant;

-- Who manages a venue knows the events that are to play there, drafts as well: they are
-- asked whether those may.
-- +goose StatementBegin
create function venue_requests(venue uuid) returns table (event_id uuid, title text, version integer)
language sql stable security definer set search_path from current as $$
    select e.id, e.title, max(p.venue_version) from performances p join events e on e.id = p.event_id join venues v on v.id = p.venue_id
    where p.venue_id = venue and p.venue_version is not null and p.state <> 'canceled' and (tenant() is null or v.organization_id = tenant())
    group by e.id, e.title
$$;
-- +goose StatementEnd
grant execute on function venue_requests to ropeline_tenant;
