-- +goose Up

-- A letter is sent by a job (river_job, migration 54) that names it: see package mail.
alter table mails add column cause text;
alter table mails add constraint mails_cause_once unique (cause);
comment on column mails.cause is 'what it tells of, and whom: of one cause there is one letter, for as long as it is known of; null: not asked';
comment on column mails.next_at is 'while it is tried, and until it is tried again: when somebody may';
drop index mails_due;
create index mails_due on mails (created_at) where state = 'due';

-- What was given up may be sent again, for as long as it is known.
alter table mails drop constraint mails_sealed_while_due;
alter table mails add constraint mails_sealed_until_sent check (state = 'failed' or (state = 'due') = (sealed is not null));
comment on column mails.sealed is 'address and text, encrypted under people.key; forgotten once it is sent';
create index mails_dead on mails (id) where state = 'failed';

-- How far a message to holders is follows its letters.
-- +goose StatementBegin
create function mails_sent_again() returns trigger language plpgsql as $$
begin
    update notice_recipients set state = 'posted', problem = '' where mail_id = new.id and state = 'failed';
    update notices set done_at = null, due_at = now() where id in (select notice_id from notice_recipients where mail_id = new.id);
    return null;
end
$$;
-- +goose StatementEnd
create trigger mails_sent_again after update on mails for each row when (old.state = 'failed' and new.state = 'due') execute function mails_sent_again();

-- Letters of an older program.
insert into river_job (kind, queue, max_attempts, args, scheduled_at)
    select 'letter', 'letters', 1000, jsonb_build_object('letter', id), next_at from mails where state = 'due';

-- What an organization does may end in a letter, in the same transaction. A job says
-- nothing but a letter's id.
grant insert on mails to ropeline_tenant;
grant insert, select, update (kind) on river_job to ropeline_tenant;
grant usage on sequence river_job_id_seq to ropeline_tenant;
alter table mails enable row level security;
create policy writes on mails for insert to ropeline_tenant with check (true);
-- River reads what it has written back: of its own transaction, as created_at says.
alter table river_job enable row level security;
create policy writes on river_job for insert to ropeline_tenant with check (true);
create policy wrote on river_job for select to ropeline_tenant using (created_at = now());
create policy same on river_job for update to ropeline_tenant using (created_at = now());

-- How an organization words what it writes: every version. What it has none of is worded as
-- the installation does.
create table wordings (
    organization_id uuid        not null,
    letter          text        not null,
    language        text        not null,
    version         integer     not null,
    subject         text        not null,
    body            text        not null,
    created_at      timestamptz not null default now(),
    constraint wordings_pkey primary key (organization_id, letter, language, version),
    constraint wordings_organization_fkey foreign key (organization_id) references organizations (id),
    constraint wordings_version_positive check (version >= 1),
    constraint wordings_subject_bounded check (length(subject) between 1 and 150),
    constraint wordings_body_bounded check (length(body) between 1 and 5000)
);
alter table wordings enable row level security;
create policy tenant on wordings to ropeline_tenant using (organization_id = tenant());
grant select, insert on wordings to ropeline_tenant;

-- +goose StatementBegin
do $$
declare
    known text;
begin
    select pg_get_constraintdef(oid) into strict known from pg_constraint
    where conrelid = 'catalogue_changes'::regclass and conname = 'catalogue_changes_what_known';
    alter table catalogue_changes drop constraint catalogue_changes_what_known;
    execute format('alter table catalogue_changes add constraint catalogue_changes_what_known check (what = ''wording'' or %s)', substring(known from 'CHECK (.*)'));
end
$$;
-- +goose StatementEnd

alter table buyers add column language text not null default '';
comment on column buyers.language is 'in which they are written to, as en; empty: nobody has said';

-- What happens to an order is told in a letter: a job, in the same transaction, that names it
-- (package tidings). At the counter there may be nobody to write to. Nobody is woken by
-- NOTIFY, which holds a lock of the whole database until the commit is on disk: all purchases
-- would stand in one line. Senders look once a second.
-- +goose StatementBegin
create function letter_of(what text, performance uuid, order_ uuid, cancellation uuid) returns void language sql as $$
    insert into river_job (kind, queue, max_attempts, args)
    values ('cause', 'letters', 1000, jsonb_strip_nulls(jsonb_build_object('what', what, 'performance', performance, 'order', order_, 'cancellation', cancellation)));
$$;

create function letters_of_orders_made() returns trigger language plpgsql as $$
begin
    perform letter_of('confirmation', f.performance_id, f.id, null) from fresh f where f.state = 'paid';
    return null;
end
$$;

create function letters_of_orders_moved() returns trigger language plpgsql as $$
begin
    perform letter_of('confirmation', f.performance_id, f.id, null)
        from fresh f join was w on w.performance_id = f.performance_id and w.id = f.id where f.state = 'paid' and w.state <> 'paid';
    return null;
end
$$;

create function letters_of_cancellations_made() returns trigger language plpgsql as $$
begin
    perform letter_of('cancellation', f.performance_id, f.order_id, f.id) from fresh f;
    perform letter_of('refund', f.performance_id, f.order_id, f.id) from fresh f where f.state = 'refunded' and f.amount > 0;
    return null;
end
$$;

create function letters_of_cancellations_moved() returns trigger language plpgsql as $$
begin
    perform letter_of('refund', f.performance_id, f.order_id, f.id)
        from fresh f join was w on w.performance_id = f.performance_id and w.id = f.id where f.state = 'refunded' and w.state <> 'refunded' and f.amount > 0;
    return null;
end
$$;
-- +goose StatementEnd

create trigger orders_made_written after insert on orders referencing new table as fresh
    for each statement execute function letters_of_orders_made();
create trigger orders_moved_written after update on orders referencing old table as was new table as fresh
    for each statement execute function letters_of_orders_moved();
create trigger cancellations_made_written after insert on cancellations referencing new table as fresh
    for each statement execute function letters_of_cancellations_made();
create trigger cancellations_moved_written after update on cancellations referencing old table as was new table as fresh
    for each statement execute function letters_of_cancellations_moved();
