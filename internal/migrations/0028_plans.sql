-- +goose Up

-- Every version of the plans that organizers can choose; docs/plans.md.
create table plans (
    id         text        not null,
    version    integer     not null,
    document   jsonb       not null,
    created_at timestamptz not null default clock_timestamp(),
    constraint plans_pkey primary key (id, version),
    constraint plans_id_slug check (id ~ '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$'),
    constraint plans_id_said check (document->>'id' = id),
    constraint plans_version_positive check (version >= 1)
);
-- What whoever has chosen nothing has: it limits nothing until an installation says otherwise.
insert into plans (id, version, document) values ('free', 1, '{"id": "free", "name": "Free", "period": "month", "entitlements": {}}');

-- What an account has chosen. Nobody has to do anything when a period ends: whoever looks
-- next writes down what has followed.
create table subscriptions (
    account text        not null,
    plan    text        not null,
    version integer     not null,
    anchor  timestamptz not null,
    count   integer     not null,
    next    text        not null,
    constraint subscriptions_pkey primary key (account),
    constraint subscriptions_account_fkey foreign key (account) references payment_accounts (name),
    constraint subscriptions_plan_fkey foreign key (plan, version) references plans (id, version),
    constraint subscriptions_count_positive check (count >= 1),
    constraint subscriptions_plan_chosen check (plan <> 'free')
);
comment on column subscriptions.anchor is 'when the first of its periods began: all are counted from it';
comment on column subscriptions.count is 'which of them it is';
comment on column subscriptions.next is 'the plan that follows; free: none';

-- Each period that began, with its price as it was then: what the platform may charge for.
create table plan_periods (
    account   text        not null,
    begins_at timestamptz not null,
    ends_at   timestamptz not null,
    plan      text        not null,
    version   integer     not null,
    amount    bigint      not null,
    currency  text        not null,
    who       text        not null,
    at        timestamptz not null default clock_timestamp(),
    constraint plan_periods_pkey primary key (account, begins_at),
    constraint plan_periods_account_fkey foreign key (account) references payment_accounts (name),
    constraint plan_periods_plan_fkey foreign key (plan, version) references plans (id, version),
    constraint plan_periods_ordered check (begins_at < ends_at),
    constraint plan_periods_amount_bounded check (amount >= 0)
);
comment on column plan_periods.ends_at is 'as it was meant; a better plan that was chosen meanwhile has ended it when that one''s began';
comment on column plan_periods.who is 'who chose it; renewal: it followed by itself';

-- +goose StatementBegin
create function plans_refuse() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: % refused', tg_table_name, tg_op using errcode = 'restrict_violation';
end
$$;
-- +goose StatementEnd
create trigger plans_append_only before update or delete on plans for each row execute function plans_refuse();
create trigger plans_no_truncate before truncate on plans for each statement execute function plans_refuse();
create trigger plan_periods_append_only before update or delete on plan_periods for each row execute function plans_refuse();
create trigger plan_periods_no_truncate before truncate on plan_periods for each statement execute function plans_refuse();

-- The waiting rooms of accounts: a sale that is published, until it ends.
create table rooms (
    sale_id   text        not null,
    account   text        not null,
    ends_at   timestamptz not null,
    opened_at timestamptz not null default clock_timestamp(),
    constraint rooms_pkey primary key (sale_id),
    constraint rooms_sale_fkey foreign key (sale_id) references sales (id),
    constraint rooms_account_fkey foreign key (account) references payment_accounts (name)
);
create index rooms_account on rooms (account, ends_at);
comment on column rooms.ends_at is 'as it was published: a room that is open is asked for nothing more';
insert into rooms (sale_id, account, ends_at)
    select distinct s.id, p.account, (s.document->>'ends_at')::timestamptz
    from sales s join sale_terms t on t.sale_id = s.id and t.version = 1
        join sale_performances sp on sp.sale_id = s.id join performances p on p.id = sp.performance_id
    where p.account is not null
    on conflict do nothing;

alter table catalogue_changes
    drop constraint catalogue_changes_what_known,
    add constraint catalogue_changes_what_known check (what in ('venue', 'program', 'reserve', 'release', 'plan', 'subscription'));
