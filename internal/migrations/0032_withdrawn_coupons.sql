-- +goose Up

-- A copy that comes back from a canceled order, and whose coupon its shop has withdrawn
-- meanwhile, is withdrawn, as it would have been in its bag. It once was good again: who
-- used it in time could cancel, and use it for something else.
-- +goose StatementBegin
create or replace function coupon_order_canceled() returns trigger language plpgsql as $$
declare
    copy record;
begin
    -- Who withdraws the coupon in this moment is waited for, or finds the copy returned.
    select c.id, k.number into copy from coupons c join coupon_copies k on k.coupon_id = c.id
    where k.order_id = new.id and k.state = 'redeemed' for share of c;
    if not found then
        return null;
    end if;
    update coupon_copies set state = 'reserved', since = now(), mover = order_id::text, order_id = null, discount = null
    where order_id = new.id and state = 'redeemed' and old.state = 'pending' and hold_id is not null;
    update coupon_copies set state = 'claimed', since = now(), mover = order_id::text, order_id = null, discount = null,
        performance_id = null, hold_id = null, session_id = null, until = null
    where order_id = new.id and state = 'redeemed';
    update coupon_copies k set state = 'withdrawn' from coupons c
    where k.coupon_id = copy.id and k.number = copy.number and c.id = k.coupon_id and c.state = 'withdrawn' and c.price = 0;
    return null;
end
$$;
-- +goose StatementEnd
