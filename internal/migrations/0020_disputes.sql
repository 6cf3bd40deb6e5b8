-- +goose Up

-- A ticket in dispute opens no door, and one whose dispute was lost never does again.
-- Its unit is nobody else's until staff release it.
alter table tickets
    drop constraint tickets_state_known,
    add constraint tickets_state_known check (state in ('unpaid', 'valid', 'blocked', 'void', 'canceled'));
comment on column tickets.state is 'unpaid, blocked (in dispute), void (the dispute was lost) and canceled tickets never scan and never show their code';

-- What buyers' banks want back. A row says how a dispute stands as far as we have
-- asked, and what of it the ledger has. It does not grow with a sale but with what
-- goes wrong.
create table order_disputes (
    id             uuid        not null,
    performance_id uuid        not null,
    order_id       uuid        not null,
    attempt_id     uuid        not null,
    provider_ref   text        not null,
    payment_ref    text        not null,
    state          text        not null,
    amount         bigint      not null,
    withdrawn      bigint      not null,
    reinstated     bigint      not null,
    currency       text        not null,
    fee            bigint      not null,
    fee_returned   bigint      not null,
    fee_currency   text        not null,
    reason         text        not null,
    evidence_due   timestamptz,
    opened_at      timestamptz not null,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    constraint order_disputes_pkey primary key (id),
    constraint order_disputes_state_known check (state in ('asked', 'open', 'won', 'lost')),
    constraint order_disputes_amounts_not_negative check (amount >= 0 and withdrawn >= 0 and reinstated >= 0 and fee >= 0 and fee_returned >= 0),
    constraint order_disputes_currency_iso check (currency ~ '^[A-Z]{3}$')
);
comment on column order_disputes.id is 'of attempt and provider_ref, so that one is written once';
comment on column order_disputes.provider_ref is 'the provider''s id of the dispute';
comment on column order_disputes.state is 'asked: the bank asks, no money has moved; open: the money is away for now; won, lost: for good';
comment on column order_disputes.fee is 'what the provider charged, in fee_currency; in the ledger if that is the order''s';
create index order_disputes_order on order_disputes (performance_id, order_id);
create index order_disputes_ref on order_disputes (provider_ref);
create index order_disputes_open on order_disputes (updated_at) where state in ('asked', 'open');
create index order_disputes_newest on order_disputes (created_at);

alter table order_ledger
    drop constraint order_ledger_entry_known,
    add constraint order_ledger_entry_known check (entry in
        ('placed', 'authorized', 'captured', 'canceled', 'kept', 'waived', 'refunding', 'refunded', 'refund_failed', 'fee', 'fee_returned',
        'disputed', 'withdrawn', 'reinstated', 'dispute_fee', 'dispute_fee_returned', 'dispute_won', 'dispute_lost'));
comment on column order_ledger.entry is
    'placed: amount owed; authorized: amount the provider reserved; captured: amount the provider took; canceled: amount no longer owed; kept: amount owed all the same, by the rules of canceling; waived: amount no longer owed, since it was given back by hand; refunding: amount the provider was asked to give back; refunded: amount it gave back; refund_failed: amount it did not; fee: what of captured is the platform''s; fee_returned: what of that it gives up; disputed: amount the buyer''s bank wants back; withdrawn: amount the provider took from us for it; reinstated: amount it gave us again; dispute_fee: what it charged; dispute_fee_returned: what of that it gave up; dispute_won, dispute_lost: how it ended, amount as disputed';

-- Events are kept for as long as they may come again (order.EventLife), and are found
-- by their age. They come in its order, so that a few pages say where they are.
create index payment_events_heard on payment_events using brin (heard_at) with (pages_per_range = 32);

create table sandbox_disputes (
    id         uuid        not null,
    attempt_id uuid        not null,
    state      text        not null,
    amount     bigint      not null,
    withdrawn  bigint      not null,
    reinstated bigint      not null default 0,
    fee        bigint      not null,
    told       text        not null default '',
    created_at timestamptz not null default now(),
    constraint sandbox_disputes_pkey primary key (id),
    constraint sandbox_disputes_once unique (attempt_id),
    constraint sandbox_disputes_state_known check (state in ('asked', 'open', 'won', 'lost'))
);
create index sandbox_disputes_news on sandbox_disputes (created_at) where told <> state;
alter table sandbox_refunds add column by_hand boolean not null default false;
comment on column sandbox_refunds.by_hand is 'made at the provider, so that we know no id of it';
