-- +goose Up

-- Organizers' own accounts at the payment provider. Who has one is paid there and
-- leaves the platform's fee to us; without one we are paid, and owe.
create table payment_accounts (
    name             text        not null,
    provider_account text        not null,
    charges          boolean     not null,
    reason           text        not null default '',
    checked_at       timestamptz not null default now(),
    created_at       timestamptz not null default now(),
    constraint payment_accounts_pkey primary key (name),
    constraint payment_accounts_provider_once unique (provider_account),
    constraint payment_accounts_name_slug check (name ~ '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$'),
    constraint payment_accounts_provider_present check (provider_account <> '')
);
comment on column payment_accounts.provider_account is 'the provider''s id of it; never changed, since what was paid refers to it';
comment on column payment_accounts.charges is 'it can take payments, when the provider was last asked';
comment on column payment_accounts.reason is 'a word of the provider''s why it cannot';

alter table performances
    add column account text,
    add constraint performances_account_fkey foreign key (account) references payment_accounts (name);
comment on column performances.account is 'who is paid; null: we are. Never changed';

alter table attempts
    add column account text not null default '',
    add column account_fee bigint not null default 0;
comment on column attempts.account is 'the provider''s id of the account that is paid; empty: ours';
comment on column attempts.account_fee is 'what of amount it leaves to us';
alter table cancellations add column fee_returned bigint not null default 0;
comment on column cancellations.fee_returned is 'what of the platform''s fee goes back to the organizer with the refund';
alter table order_disputes add column account text not null default '';
alter table payment_troubles add column account text not null default '';

-- Each account has a list of its own to compare with.
alter table payment_comparison
    drop constraint payment_comparison_pkey,
    drop constraint payment_comparison_one,
    drop column one,
    add column account text not null default '',
    add constraint payment_comparison_pkey primary key (account);

create table sandbox_accounts (
    id      text    not null,
    charges boolean not null default true,
    told    boolean not null default true,
    constraint sandbox_accounts_pkey primary key (id)
);
comment on column sandbox_accounts.told is 'whether the last webhook told that it can take payments';
alter table sandbox_payments
    add column account text not null default '',
    add column fee bigint not null default 0;
alter table sandbox_refunds add column fee bigint not null default 0;
comment on column sandbox_payments.fee is 'what the account leaves to the platform';
comment on column sandbox_refunds.fee is 'what of that the platform gives back';
