-- +goose Up

-- Who holds tickets of a performance, one row for each order and each ticket that was given
-- away: the buyer, for as long as one of the order's tickets is theirs still, or who has a
-- ticket by a transfer. What concerns whoever comes is told to them, and not to who has paid.
-- +goose StatementBegin
create function holders_of(performance uuid)
    returns table (id uuid, order_id uuid, transfer_id uuid, email text, person_id uuid, reminder_days smallint, since timestamptz)
    language sql stable as $$
    select b.id, o.id, null::uuid, b.email, b.person_id, b.reminder_days, o.created_at
        from orders o join buyers b on b.id = o.buyer_id
        where o.performance_id = performance and o.state = 'paid'
            and exists (select from tickets k where k.performance_id = o.performance_id and k.order_id = o.id and k.holder is null and k.state in ('valid', 'blocked'))
    union all
    select x.id, x.order_id, x.id, x.email, x.person_id, null::smallint, x.updated_at
        from transfers x join tickets k on k.performance_id = x.performance_id and k.id = x.ticket_id
            join orders o on o.performance_id = x.performance_id and o.id = x.order_id
        where x.performance_id = performance and x.state = 'accepted' and k.holder = x.id and k.state in ('valid', 'blocked') and o.state = 'paid'
$$;
-- +goose StatementEnd
comment on function holders_of is 'id: of the buyer, or of the transfer; an empty address: bought at the counter, or erased';

alter table notice_recipients drop constraint notice_recipients_buyer_fkey;
comment on column notice_recipients.buyer_id is 'the first of buyers';
comment on column notice_recipients.buyers is 'all that bought with this address, and all transfers that were accepted with it: who has given all of them back, or away, hears nothing';
comment on table reminders is 'of which orders, or transfers, a reminder was written, or one of the same address';

alter table transfers enable row level security;
create policy tenant on transfers for select to ropeline_tenant using (exists (select from performances p where p.id = performance_id));
grant select on transfers to ropeline_tenant;
