-- +goose Up

-- The ledger says who did what, and knows every way in which money moves. What is
-- owed, what was taken and what the platform earns are sums of it.
alter table order_ledger
    add column who text not null default 'system',
    add column ticket_id uuid,
    add constraint order_ledger_who_pseudonymous check (who in ('system', 'buyer') or who ~ '^staff:[a-z0-9][a-z0-9._-]{0,63}$'),
    add constraint order_ledger_amount_not_negative check (amount >= 0),
    drop constraint order_ledger_entry_known,
    add constraint order_ledger_entry_known check (entry in
        ('placed', 'authorized', 'captured', 'canceled', 'kept', 'refunding', 'refunded', 'refund_failed', 'fee', 'fee_returned'));
comment on column order_ledger.who is 'system, buyer or staff:NAME, a pseudonym';
comment on column order_ledger.ticket_id is 'the ticket that it is about; null: the whole order';
comment on column order_ledger.entry is
    'placed: amount owed; authorized: amount the provider reserved; captured: amount the provider took; canceled: amount no longer owed; kept: amount owed all the same, by the rules of canceling; refunding: amount the provider was asked to give back; refunded: amount it gave back; refund_failed: amount it did not; fee: what of captured is the platform''s; fee_returned: what of that it gives up';
