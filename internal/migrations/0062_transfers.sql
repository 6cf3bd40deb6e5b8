-- +goose Up

-- A ticket may change hands (package order). Its holder is who has it by the last transfer
-- that was accepted, or else the buyer.
alter table tickets add column holder uuid;
comment on column tickets.holder is 'the transfer by which its holder got it; null: the buyer has it';
alter table tickets add column name text not null default '';
alter table tickets add constraint tickets_name_bounded check (length(name) <= 100);
comment on column tickets.name is 'personal data: whose name it bears, where the organizer wants names; empty: nobody has said';

create table transfers (
    performance_id uuid        not null,
    id             uuid        not null,
    order_id       uuid        not null,
    ticket_id      uuid        not null,
    from_transfer  uuid,
    giver          text        not null,
    email          text        not null,
    language       text        not null,
    person_id      uuid,
    state          text        not null default 'offered',
    expires_at     timestamptz not null,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    constraint transfers_pkey primary key (id),
    constraint transfers_order_fkey foreign key (performance_id, order_id) references orders (performance_id, id),
    constraint transfers_ticket_fkey foreign key (performance_id, ticket_id) references tickets (performance_id, id),
    constraint transfers_from_fkey foreign key (from_transfer) references transfers (id),
    constraint transfers_person_fkey foreign key (person_id) references people (id),
    constraint transfers_state_known check (state in ('offered', 'accepted', 'recalled', 'refused', 'over')),
    constraint transfers_nobody_kept check (state in ('offered', 'accepted') or email = '' and giver = '' and person_id is null)
);
comment on table transfers is 'tickets that were offered to other people, and how that ended';
comment on column transfers.from_transfer is 'by which who gives it had got it; null: the buyer gives it';
comment on column transfers.giver is 'personal data: the address of who gives it, as the one who is asked reads it';
comment on column transfers.email is 'personal data: of who is asked; forgotten once nothing comes of it';
comment on column transfers.person_id is 'whose account it was accepted with; null: without one';
create unique index transfers_offered_once on transfers (performance_id, ticket_id) where state = 'offered';
create index transfers_of_order on transfers (performance_id, order_id);
create index transfers_of_ticket on transfers (performance_id, ticket_id);
create index transfers_of_transfer on transfers (from_transfer) where from_transfer is not null;
create index transfers_of_person on transfers (person_id) where person_id is not null;
create index transfers_waiting on transfers (expires_at) where state = 'offered';

-- Who is asked is written to, and who gave is told: a job of the same transaction, that names
-- it (package tidings).
-- +goose StatementBegin
create function letters_of_transfers() returns trigger language plpgsql as $$
begin
    if new.state = 'offered' and tg_op = 'INSERT' or new.state = 'accepted' and tg_op = 'UPDATE' and old.state = 'offered' then
        insert into river_job (kind, queue, max_attempts, args) values ('cause', 'letters', 1000, jsonb_build_object(
            'what', case new.state when 'offered' then 'transfer' else 'given' end, 'performance', new.performance_id, 'order', new.order_id, 'transfer', new.id));
    end if;
    return null;
end
$$;
-- +goose StatementEnd
create trigger transfers_written after insert or update on transfers for each row execute function letters_of_transfers();

-- +goose StatementBegin
do $$
declare
    known text;
begin
    select pg_get_constraintdef(oid) into strict known from pg_constraint
    where conrelid = 'order_ledger'::regclass and conname = 'order_ledger_entry_known';
    alter table order_ledger drop constraint order_ledger_entry_known;
    execute format('alter table order_ledger add constraint order_ledger_entry_known check (entry in (''offered'', ''recalled'', ''transferred'', ''renamed'') or %s)',
        substring(known from 'CHECK (.*)'));
    execute format('comment on column order_ledger.entry is %L', col_description('order_ledger'::regclass,
        (select attnum from pg_attribute where attrelid = 'order_ledger'::regclass and attname = 'entry'))
        || '; offered, recalled: the ticket was offered to somebody, and is not any more; transferred: it has another holder from now on; renamed: it bears another name. Amount is 0');
    select pg_get_constraintdef(oid) into strict known from pg_constraint
    where conrelid = 'order_ledger'::regclass and conname = 'order_ledger_who_pseudonymous';
    alter table order_ledger drop constraint order_ledger_who_pseudonymous;
    execute format('alter table order_ledger add constraint order_ledger_who_pseudonymous check (who = ''holder'' or %s)', substring(known from 'CHECK (.*)'));
end
$$;
-- +goose StatementEnd
comment on column order_ledger.who is 'system, buyer, holder (who has the ticket by a transfer) or staff:NAME, a pseudonym';
