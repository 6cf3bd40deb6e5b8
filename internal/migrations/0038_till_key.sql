-- +goose Up

-- The key of a till stands for one coupon: sent again with another code it is refused. A
-- till that lost the answer, and scanned the next guest's coupon, once spent that one, too.
alter table coupon_copies add column used_shop text;
comment on column coupon_copies.used_shop is 'the till''s shop, whose keys are its own; null: no till''s, or used before there was this column';
create unique index coupon_copies_till_key_once on coupon_copies (used_shop, used_key) where used_shop is not null;
