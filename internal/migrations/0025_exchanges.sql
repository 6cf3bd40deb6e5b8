-- +goose Up

-- Tickets of an order may be exchanged for those of a new one. It is paid for by an
-- attempt of its own, as any order is, and by what the old tickets are worth: so an
-- order may cost more than its attempt.
alter table attempts add column from_order uuid;
comment on column attempts.from_order is 'the order whose tickets it exchanges, see exchanges; null: it buys';

-- What an exchange gives up for the new order. While its attempt is started, acting
-- or recorded nothing else is done with these tickets.
create table exchanges (
    performance_id   uuid        not null,
    attempt_id       uuid        not null,
    from_performance uuid        not null,
    from_order       uuid        not null,
    tickets          uuid[]      not null,
    no_fee           boolean     not null,
    who              text        not null,
    reason           text        not null,
    created_at       timestamptz not null default now(),
    constraint exchanges_pkey primary key (performance_id, attempt_id),
    constraint exchanges_tickets_some check (cardinality(tickets) between 1 and 100),
    constraint exchanges_reason_bounded check (length(reason) <= 200)
) partition by hash (performance_id);
comment on column exchanges.performance_id is 'of the new order, as its attempt''s';
create index exchanges_from on exchanges (from_order);

-- What of an order's price came with an exchange, and of which payment it is: it goes
-- back to where it came from.
create table order_funds (
    performance_id      uuid        not null,
    order_id            uuid        not null,
    payment_performance uuid        not null,
    attempt_id          uuid        not null,
    from_order          uuid        not null,
    amount              bigint      not null,
    created_at          timestamptz not null default now(),
    constraint order_funds_pkey primary key (performance_id, order_id, attempt_id),
    constraint order_funds_amount_positive check (amount > 0)
) partition by hash (performance_id);
comment on column order_funds.attempt_id is 'the payment that it is of, made for payment_performance';
comment on column order_funds.from_order is 'whose it was before';
create index order_funds_from on order_funds (from_order);
create index order_funds_payment on order_funds (attempt_id);

alter table cancellations add column payment_performance uuid;
comment on column cancellations.attempt_id is 'the payment of which amount is given back';
comment on column cancellations.payment_performance is 'for which performance that payment was made; null: this one';

-- +goose StatementBegin
do $$
declare
    n text;
begin
    for i in 0 .. 15 loop
        n := lpad(i::text, 2, '0');
        execute format('create table exchanges_p%s partition of exchanges for values with (modulus 16, remainder %s)', n, i);
        execute format('alter table exchanges_p%s add constraint exchanges_attempt_fkey '
            'foreign key (performance_id, attempt_id) references attempts_p%s (performance_id, id)', n, n);
        execute format('create table order_funds_p%s partition of order_funds for values with (modulus 16, remainder %s)', n, i);
        execute format('alter table order_funds_p%s add constraint order_funds_order_fkey '
            'foreign key (performance_id, order_id) references orders_p%s (performance_id, id)', n, n);
    end loop;
end
$$;
-- +goose StatementEnd

alter table order_ledger
    drop constraint order_ledger_entry_known,
    add constraint order_ledger_entry_known check (entry in
        ('placed', 'authorized', 'captured', 'canceled', 'kept', 'waived', 'refunding', 'refunded', 'refund_failed', 'fee', 'fee_returned',
        'disputed', 'withdrawn', 'reinstated', 'dispute_fee', 'dispute_fee_returned', 'dispute_won', 'dispute_lost',
        'exchanged_out', 'exchanged_in'));
comment on column order_ledger.entry is
    'placed: amount owed; authorized: amount the provider reserved; captured: amount the provider took; canceled: amount no longer owed; kept: amount owed all the same, by the rules of canceling; waived: amount no longer owed, since it was given back by hand; refunding: amount the provider was asked to give back; refunded: amount it gave back; refund_failed: amount it did not; fee: what of captured is the platform''s; fee_returned: what of that it gives up; disputed: amount the buyer''s bank wants back; withdrawn: amount the provider took from us for it; reinstated: amount it gave us again; dispute_fee: what it charged; dispute_fee_returned: what of that it gave up; dispute_won, dispute_lost: how it ended, amount as disputed; exchanged_out: what of the money now pays for another order; exchanged_in: the same, there';
