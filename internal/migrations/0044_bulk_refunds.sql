-- +goose Up

-- Everybody gets back what they paid for a performance that is canceled. What is still to
-- do is in no list: it is the orders that are paid.
create table bulk_refunds (
    performance_id uuid        not null,
    who            text        not null,
    reason         text        not null,
    created_at     timestamptz not null default now(),
    due_at         timestamptz not null default now(),
    constraint bulk_refunds_pkey primary key (performance_id),
    constraint bulk_refunds_performance_fkey foreign key (performance_id) references performances (id),
    constraint bulk_refunds_reason_bounded check (length(reason) between 1 and 200)
);
comment on column bulk_refunds.due_at is 'when its orders are looked at next: seldom, once all are done; a payment that was under way may come late';
create index bulk_refunds_due on bulk_refunds (due_at);

create table bulk_refund_refusals (
    performance_id uuid        not null,
    order_id       uuid        not null,
    code           text        not null,
    at             timestamptz not null default now(),
    constraint bulk_refund_refusals_pkey primary key (performance_id, order_id),
    constraint bulk_refund_refusals_refund_fkey foreign key (performance_id) references bulk_refunds (performance_id)
);
comment on table bulk_refund_refusals is 'orders that were left, and why: sold at the counter, disputed, a coupon that was used. They are tried again later';

alter table bulk_refunds enable row level security;
create policy tenant on bulk_refunds to ropeline_tenant using (exists (select from performances p where p.id = bulk_refunds.performance_id));
alter table bulk_refund_refusals enable row level security;
create policy tenant on bulk_refund_refusals to ropeline_tenant using (exists (select from performances p where p.id = bulk_refund_refusals.performance_id));
grant select, insert on bulk_refunds to ropeline_tenant;
grant select on bulk_refund_refusals to ropeline_tenant;
