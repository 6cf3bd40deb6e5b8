-- +goose Up

-- A payment that the fan has to confirm at the bank: the order is written, its
-- tickets are unpaid, and nothing is reserved yet.
alter table attempts drop constraint attempts_state_known;
alter table attempts
    add column action text not null default '',
    add constraint attempts_state_known
        check (state in ('started', 'acting', 'recorded', 'captured', 'done', 'voiding', 'closed'));
comment on column attempts.action is 'the provider''s page on which the fan confirms, while acting';
comment on column attempts.state is
    'started: the provider may have been called; acting: order and unpaid tickets are written, the fan has to confirm; recorded: the same, and the amount is reserved; captured: paid, tickets valid; done: Redis knows too; voiding: will never be recorded, hold and provider still have to be looked at; closed: failed, and nothing is left to do';
drop index attempts_one_per_hold;
create unique index attempts_one_per_hold on attempts (hold_id, performance_id)
    where state in ('started', 'acting', 'recorded', 'captured', 'done');
drop index attempts_open;
create index attempts_open on attempts (updated_at)
    where state in ('started', 'acting', 'recorded', 'captured', 'voiding');

-- What providers told by webhook. A row is written with what the event brought
-- about, in one transaction: so an event that comes again finds it, and one whose
-- effect was lost finds nothing.
create table payment_events (
    performance_id uuid         not null,
    id             varchar(255) not null, -- bounded, so that no partition needs a table beside it for long values
    attempt_id     uuid         not null,
    about          varchar(16)  not null,
    at             timestamptz  not null,
    heard_at       timestamptz  not null default now(),
    constraint payment_events_pkey primary key (performance_id, id),
    constraint payment_events_id_present check (id <> '')
) partition by hash (performance_id);
comment on column payment_events.id is 'the provider''s, the same however often the event is sent';
comment on column payment_events.at is 'when the provider says that it happened';

-- +goose StatementBegin
do $$
begin
    for i in 0 .. 15 loop
        execute format('create table payment_events_p%s partition of payment_events for values with (modulus 16, remainder %s)',
            lpad(i::text, 2, '0'), i);
    end loop;
end
$$;
-- +goose StatementEnd

-- What staff should know of: money and tickets that did not come together. It
-- does not grow with a sale but with what goes wrong, and a payment of which we
-- have no attempt is of no performance.
create table payment_troubles (
    attempt_id     uuid        not null,
    kind           text        not null,
    state          text        not null,
    performance_id uuid,
    sale_id        text        not null default '',
    provider_ref   text        not null,
    amount         bigint      not null,
    currency       text        not null,
    refund_id      uuid,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    constraint payment_troubles_pkey primary key (attempt_id, kind),
    constraint payment_troubles_kind_known check (kind in ('late', 'unknown', 'unpaid', 'amount')),
    constraint payment_troubles_state_known check (state in ('open', 'reseated', 'let_go', 'refunding', 'refunded', 'failed', 'gone')),
    constraint payment_troubles_currency_iso check (currency ~ '^[A-Z]{3}$')
);
comment on column payment_troubles.kind is
    'late: money came for an attempt that had failed; unknown: money for an attempt that is not in our books; unpaid: valid tickets whose money the provider does not have; amount: the provider has another amount';
comment on column payment_troubles.state is
    'open: somebody has to look, or the settler will; reseated: the order got its units after all; let_go: nothing was taken; refunding, refunded: the money goes back, or has; failed: it could not be given back; gone: it is not so any more';
create index payment_troubles_newest on payment_troubles (created_at);
create unique index payment_troubles_refund on payment_troubles (refund_id);

-- Up to when our books were compared with the provider's, and who does it now.
create table payment_comparison (
    one      boolean     not null default true,
    until    timestamptz not null,
    taken_at timestamptz not null,
    constraint payment_comparison_pkey primary key (one),
    constraint payment_comparison_one check (one)
);
insert into payment_comparison (until, taken_at) values (now(), '-infinity');

alter table order_ledger drop constraint order_ledger_entry_known;
alter table order_ledger add constraint order_ledger_entry_known
    check (entry in ('placed', 'authorized', 'captured', 'canceled', 'refunded'));
comment on column order_ledger.entry is
    'placed: amount owed; authorized: amount the provider reserved; captured: amount the provider took; canceled: amount no longer owed; refunded: amount the provider gave back';

-- The sandbox asks for confirmation on a page of its own and comes back from
-- there, and looks for news often.
alter table sandbox_payments add column back text not null default '';
comment on column sandbox_payments.back is 'where the fan''s browser goes when it has confirmed';
create index sandbox_payments_news on sandbox_payments (updated_at) where told <> state;
create index sandbox_refunds_news on sandbox_refunds (created_at) where not told;
