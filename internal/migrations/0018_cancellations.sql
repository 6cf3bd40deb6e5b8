-- +goose Up

-- What of a price is fee and tax, and what goes back when tickets are canceled.
alter table performances add column tariff jsonb not null default '{"refund": {}}';
comment on column performances.tariff is 'see package tariff; never changed, since what was sold refers to it';

alter table orders
    add column fee bigint not null default 0,
    add constraint orders_fee_part_of_amount check (fee between 0 and amount);
comment on column orders.fee is 'the platform''s part of amount, as it was when sold';

-- One row for each time that tickets of an order were canceled, and with it what is
-- still to do: to tell Redis, and to have the money given back.
create table cancellations (
    performance_id uuid        not null,
    id             uuid        not null,
    order_id       uuid        not null,
    attempt_id     uuid        not null,
    place_id       text        not null,
    units          integer[]   not null,
    amount         bigint      not null,
    kept           bigint      not null,
    currency       text        not null,
    who            text        not null,
    reason         text        not null,
    state          text        not null,
    refund_id      uuid        not null,
    tries          integer     not null default 1,
    freed          boolean     not null default false,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    constraint cancellations_pkey primary key (performance_id, id),
    constraint cancellations_amounts_not_negative check (amount >= 0 and kept >= 0),
    constraint cancellations_state_known check (state in ('refunding', 'refunded', 'failed')),
    constraint cancellations_reason_bounded check (length(reason) <= 200)
) partition by hash (performance_id);
comment on column cancellations.amount is 'to give back; nothing: refunded from the beginning';
comment on column cancellations.state is 'refunding: the provider is to be asked, or asked again; refunded; failed: the provider refuses, somebody has to look';
comment on column cancellations.refund_id is 'idempotency key of the refund; a new one for each try after one that failed';
comment on column cancellations.freed is 'Redis knows that the units are for sale again';
create index cancellations_order on cancellations (performance_id, order_id);
create index cancellations_refund on cancellations (refund_id);
create index cancellations_open on cancellations (updated_at) where state = 'refunding' or not freed;
create index cancellations_failed on cancellations (created_at) where state = 'failed';

-- +goose StatementBegin
do $$
declare
    n text;
begin
    for i in 0 .. 15 loop
        n := lpad(i::text, 2, '0');
        execute format('create table cancellations_p%s partition of cancellations for values with (modulus 16, remainder %s)', n, i);
        execute format('alter table cancellations_p%s add constraint cancellations_order_fkey '
            'foreign key (performance_id, order_id) references orders_p%s (performance_id, id)', n, n);
    end loop;
end
$$;
-- +goose StatementEnd
