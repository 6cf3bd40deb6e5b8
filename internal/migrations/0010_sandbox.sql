-- +goose Up

-- The sandbox provider learns refunds, confirmations and webhooks. As before
-- nothing refers to its books, and only package sandbox and audits read them.
alter table sandbox_payments
    add column method text not null default '',
    add column refunded bigint not null default 0,
    add column told text not null default '',
    drop constraint sandbox_payments_state_known,
    add constraint sandbox_payments_state_known
        check (state in ('needs_action', 'authorized', 'captured', 'voided', 'declined')),
    add constraint sandbox_payments_refunded_bounded check (refunded between 0 and amount);
comment on column sandbox_payments.method is 'the test card, which says what happens to the payment';
comment on column sandbox_payments.told is 'the last state that a webhook told of';

create table sandbox_refunds (
    id         uuid        not null,
    refund_id  uuid        not null,
    attempt_id uuid        not null,
    amount     bigint      not null,
    told       boolean     not null default false,
    created_at timestamptz not null default now(),
    constraint sandbox_refunds_pkey primary key (id),
    constraint sandbox_refunds_once unique (refund_id),
    constraint sandbox_refunds_amount_positive check (amount > 0)
);
comment on column sandbox_refunds.refund_id is 'idempotency key: one refund each';
