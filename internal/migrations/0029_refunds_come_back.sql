-- +goose Up

-- A refund that had succeeded may fail later: the buyer's bank sends it back. Its
-- cancellation has failed then, and the ledger says that the money is here again.
alter table cancellations add column made_up_by uuid;
comment on column cancellations.made_up_by is 'the refund by hand, a cancellation, that gave back what the provider had refused';

alter table order_ledger
    drop constraint order_ledger_entry_known,
    add constraint order_ledger_entry_known check (entry in
        ('placed', 'authorized', 'captured', 'canceled', 'kept', 'waived', 'refunding', 'refunded', 'refund_failed', 'refund_returned', 'fee', 'fee_returned',
        'disputed', 'withdrawn', 'reinstated', 'dispute_fee', 'dispute_fee_returned', 'dispute_won', 'dispute_lost',
        'exchanged_out', 'exchanged_in'));
comment on column order_ledger.entry is
    'placed: amount owed; authorized: amount the provider reserved; captured: amount the provider took; canceled: amount no longer owed; kept: amount owed all the same, by the rules of canceling; waived: amount no longer owed, since it was given back by hand; refunding: amount the provider was asked to give back; refunded: amount it gave back; refund_failed: amount it did not; refund_returned: amount of what was refunded that came back to us; fee: what of captured is the platform''s; fee_returned: what of that it gives up; disputed: amount the buyer''s bank wants back; withdrawn: amount the provider took from us for it; reinstated: amount it gave us again; dispute_fee: what it charged, in the currency of our account there; dispute_fee_returned: what of that it gave up; dispute_won, dispute_lost: how it ended, amount as disputed; exchanged_out: what of the money now pays for another order; exchanged_in: the same, there';

-- What a dispute costs in another currency than the order's was in no ledger.
insert into order_ledger (performance_id, order_id, entry, amount, currency)
select performance_id, order_id, e.entry, e.amount, fee_currency
from order_disputes cross join lateral (values ('dispute_fee', fee), ('dispute_fee_returned', fee_returned)) as e (entry, amount)
where fee_currency <> currency and fee_currency <> '' and e.amount > 0
order by created_at, id;
comment on column order_disputes.fee is 'what the provider charged, in fee_currency';

alter table sandbox_refunds
    add column failed boolean not null default false,
    add column fee_id uuid;
comment on column sandbox_refunds.failed is 'it had succeeded, and the bank has sent it back';
comment on column sandbox_refunds.fee_id is 'names the return of fee, which is made once';
alter table sandbox_disputes add column fee_currency text not null default '';
comment on column sandbox_disputes.fee_currency is 'of the account; empty: the payment''s';
