-- +goose Up
-- +goose StatementBegin
create or replace function coupon_copy_moved() returns trigger language plpgsql as $$
-- A copy that came to its end in a bag, and whose ticket was canceled and sold again, is
-- its next buyer's: they have paid for it.
declare
    entry text := new.state;
begin
    if old.state = new.state then
        if old.bag is not distinct from new.bag then
            return null;
        end if;
        entry := 'passed_on';
    elsif (old.state, new.state) in (('reserved', 'claimed'), ('redeemed', 'claimed')) then
        entry := 'returned';
    elsif (old.state, new.state) not in (('created', 'published'), ('created', 'withdrawn'),
            ('published', 'claimed'), ('published', 'expired'), ('published', 'withdrawn'),
            ('claimed', 'reserved'), ('claimed', 'redeemed'), ('claimed', 'expired'), ('claimed', 'withdrawn'),
            ('reserved', 'redeemed'), ('reserved', 'expired'), ('reserved', 'withdrawn'), ('redeemed', 'reserved'))
            and not (old.state = 'expired' and new.state = 'claimed' and new.ticket_id is not null and new.turn > old.turn) then
        raise exception 'a coupon''s copy does not go from % to %', old.state, new.state using errcode = 'restrict_violation';
    end if;
    -- What nobody has moves with its coupon, which has an entry of its own.
    if new.bag is not null then
        insert into coupon_history (coupon_id, number, entry, who, detail, at)
        values (new.coupon_id, new.number, entry, new.mover, coalesce(case entry
            when 'redeemed' then coalesce(new.order_id::text, new.used_key)
            when 'reserved' then new.hold_id::text end, ''), new.since);
    end if;
    return null;
end
$$;
-- +goose StatementEnd
