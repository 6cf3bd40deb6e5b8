-- +goose Up

-- An order that was never paid may be canceled while its hold lives: a bank said
-- no, or the fan pays in another way. Its coupon is the hold's again then, not the
-- bag's: the fan who tries once more would pay more than they were told. If the hold
-- is over, whoever looks at its time gives the coupon back.
-- +goose StatementBegin
create or replace function coupon_copy_moved() returns trigger language plpgsql as $$
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
            ('reserved', 'redeemed'), ('reserved', 'expired'), ('reserved', 'withdrawn'), ('redeemed', 'reserved')) then
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

create or replace function coupon_order_canceled() returns trigger language plpgsql as $$
begin
    update coupon_copies set state = 'reserved', since = now(), mover = order_id::text, order_id = null, discount = null
    where order_id = new.id and state = 'redeemed' and old.state = 'pending' and hold_id is not null;
    update coupon_copies set state = 'claimed', since = now(), mover = order_id::text, order_id = null, discount = null,
        performance_id = null, hold_id = null, session_id = null, until = null
    where order_id = new.id and state = 'redeemed';
    return null;
end
$$;
-- +goose StatementEnd
comment on column coupon_copies.order_id is 'the order that it lowered; free again when that is canceled (trigger orders_coupon), for the hold if it was never paid';
