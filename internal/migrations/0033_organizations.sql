-- +goose Up

-- Organizations, who sell with us, and what is whose. What the staff of one do runs as the
-- role ropeline_tenant with the organization's id in ropeline.organization (package
-- tenant): it sees the rows of that organization alone, whatever a statement forgets to
-- say. The public and our own workers are the owner of the tables, whom nothing is hidden from.

create table organizations (
    id         uuid        not null,
    slug       text        not null,
    name       text        not null,
    account    text,
    version    integer     not null default 1,
    created_at timestamptz not null default now(),
    constraint organizations_pkey primary key (id),
    constraint organizations_slug_once unique (slug),
    constraint organizations_slug_form check (slug ~ '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$'),
    constraint organizations_name_present check (name <> ''),
    constraint organizations_version_positive check (version >= 1),
    constraint organizations_account_fkey foreign key (account) references payment_accounts (name)
);
comment on column organizations.account is 'who is paid for what it sells; null: we are';

-- What there was before belongs to whoever runs the installation.
insert into organizations (id, slug, name) values ('00000000-0000-7000-8000-000000000001', 'house', 'House');

alter table events add column organization_id uuid not null default '00000000-0000-7000-8000-000000000001',
    add constraint events_organization_fkey foreign key (organization_id) references organizations (id);
alter table performances add column organization_id uuid not null default '00000000-0000-7000-8000-000000000001',
    add constraint performances_organization_fkey foreign key (organization_id) references organizations (id);
alter table sales add column organization_id uuid not null default '00000000-0000-7000-8000-000000000001',
    add constraint sales_organization_fkey foreign key (organization_id) references organizations (id);
alter table venues add column organization_id uuid,
    add constraint venues_organization_fkey foreign key (organization_id) references organizations (id);
alter table shops add column organization_id uuid not null default '00000000-0000-7000-8000-000000000001',
    add constraint shops_organization_fkey foreign key (organization_id) references organizations (id);
alter table webhook_endpoints add column organization_id uuid not null default '00000000-0000-7000-8000-000000000001',
    add constraint webhook_endpoints_organization_fkey foreign key (organization_id) references organizations (id);
alter table catalogue_changes add column organization_id uuid;
comment on column performances.organization_id is 'that of its event: what was sold is looked up by it';
comment on column venues.organization_id is 'who manages it; null: whoever runs the installation, and everybody may play there';
comment on column catalogue_changes.organization_id is 'whose staff changed it; null: whoever runs the installation';

create index events_organization on events (organization_id, id);
create index performances_organization on performances (organization_id, id);
create index sales_organization on sales (organization_id, id);
create index venues_organization on venues (organization_id, id);

-- A performance is of the organization of its event, and of no other.
-- +goose StatementBegin
create function performances_organization() returns trigger language plpgsql as $$
begin
    select organization_id into new.organization_id from events where id = new.event_id;
    return new;
end
$$;
-- +goose StatementEnd
create trigger performances_organization before insert or update of event_id, organization_id on performances
    for each row execute function performances_organization();

-- Roles are the server's, not the database's: another database may have made it, even now.
-- +goose StatementBegin
do $$
begin
    create role ropeline_tenant nologin;
exception when duplicate_object or unique_violation then null;
end
$$;
-- +goose StatementEnd
-- +goose StatementBegin
do $$
begin
    execute format('grant ropeline_tenant to %I', current_user);
    execute format('grant usage on schema %I to ropeline_tenant', current_schema());
end
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create function tenant() returns uuid language sql stable parallel safe as $$
    select nullif(current_setting('ropeline.organization', true), '')::uuid
$$;
-- +goose StatementEnd
comment on function tenant is 'the organization whose staff this is; null outside of it, and then nothing is theirs';

-- What is an organization's by itself, and what by its performance, sale or shop: each of
-- those is looked up under its own policy.
-- +goose StatementBegin
do $$
declare
    name text;
    what text;
begin
    for name, what in
        select t, 'organization_id = tenant()' from unnest(array['events', 'performances', 'sales', 'shops', 'webhook_endpoints', 'catalogue_changes']) t
        union all select 'organizations', 'id = tenant()'
        union all select 'venues', 'organization_id is null or organization_id = tenant()'
        union all select 'venue_maps', 'exists (select from venues v where v.id = venue_id)'
        union all select t, format('exists (select from performances p where p.id = %I.performance_id)', t)
            from unnest(array['tiers', 'seat_rows', 'reserves', 'sale_performances', 'attempts', 'orders', 'tickets', 'order_ledger',
                'cancellations', 'exchanges', 'order_disputes', 'order_funds', 'payment_troubles', 'returns_entries', 'returns_history', 'returns_tiers']) t
        union all select t, format('exists (select from sales s where s.id = %I.sale_id)', t)
            from unnest(array['programs', 'sale_terms', 'sale_ledger', 'lane_code_batches', 'lane_codes', 'lane_code_uses', 'ops_audit']) t
        union all select t, format('exists (select from shops s where s.id = %I.shop_id)', t) from unnest(array['products', 'coupons']) t
        union all select t, format('exists (select from coupons c where c.id = %I.coupon_id)', t)
            from unnest(array['coupon_copies', 'coupon_claims', 'coupon_history']) t
        union all select 'webhook_deliveries', 'exists (select from webhook_endpoints e where e.id = endpoint_id)'
    loop
        execute format('alter table %I enable row level security', name);
        execute format('create policy tenant on %I to ropeline_tenant using (%s)', name, what);
        execute format('grant select on %I to ropeline_tenant', name);
    end loop;
end
$$;
-- +goose StatementEnd
-- Whose venue it is not, they may read it and change nothing of it.
create policy tenant_changes on venues as restrictive for update to ropeline_tenant using (organization_id = tenant());
