-- +goose Up

-- What is sold at the counter: no provider takes the money, so nothing is asked of
-- one. Everything else is as it is online: a hold, an attempt, an order, tickets.
alter table attempts add column tender text not null default '';
alter table attempts add constraint attempts_tender_known check (tender in ('', 'cash', 'terminal', 'complimentary'));
comment on column attempts.tender is 'how it is paid at the counter; empty: through the provider';

alter table orders add column tender text not null default '';
alter table orders add constraint orders_tender_known check (tender in ('', 'cash', 'terminal', 'complimentary'));
alter table orders add constraint orders_complimentary_free check (tender <> 'complimentary' or amount = 0);
comment on column orders.tender is 'how it was paid at the counter; empty: through the provider';

alter table order_ledger add column tender text not null default '';
alter table order_ledger add constraint order_ledger_tender_known check (tender in ('', 'cash', 'terminal', 'complimentary'));
comment on column order_ledger.tender is 'of money that was taken or given back at the counter: how; empty: through the provider, or no money moved';

-- Who buys at the counter need not say who they are.
alter table buyers drop constraint buyers_email_shape;
alter table buyers add constraint buyers_email_shape check (email = '' or email like '%_@_%' and length(email) <= 254);
comment on column buyers.email is 'empty: bought at the counter without one';
