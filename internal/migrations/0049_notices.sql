-- +goose Up

-- What an organizer writes to everybody who holds tickets of an event, or of one of its
-- performances: see package notice.
create table notices (
    id             uuid        not null,
    event_id       uuid        not null,
    performance_id uuid,
    subject        text        not null,
    body           text        not null,
    who            text        not null,
    created_at     timestamptz not null default now(),
    due_at         timestamptz not null default now(),
    done_at        timestamptz,
    constraint notices_pkey primary key (id),
    constraint notices_event_fkey foreign key (event_id) references events (id),
    constraint notices_performance_fkey foreign key (performance_id) references performances (id),
    constraint notices_subject_bounded check (length(subject) between 1 and 150),
    constraint notices_body_bounded check (length(body) between 1 and 5000)
);
comment on column notices.performance_id is 'null: all of the event';
comment on column notices.due_at is 'when some more of its letters are written; while somebody does: when another may';
comment on column notices.done_at is 'when it was known what came of the last letter';
create index notices_event on notices (event_id, id);
create index notices_due on notices (due_at) where done_at is null;

-- One row for each address, as it was when the message was sent off: so nobody is
-- forgotten, and nobody has two letters.
create table notice_recipients (
    notice_id uuid   not null,
    buyer_id  uuid   not null,
    buyers    uuid[] not null,
    state     text   not null default 'due',
    mail_id   uuid,
    problem   text   not null default '',
    constraint notice_recipients_pkey primary key (notice_id, buyer_id),
    constraint notice_recipients_notice_fkey foreign key (notice_id) references notices (id),
    constraint notice_recipients_buyer_fkey foreign key (buyer_id) references buyers (id),
    constraint notice_recipients_state_known check (state in ('due', 'posted', 'sent', 'failed', 'left')),
    constraint notice_recipients_mail_once unique (mail_id),
    constraint notice_recipients_mailed check ((state in ('posted', 'sent', 'failed')) = (mail_id is not null))
);
comment on column notice_recipients.buyers is 'all that bought with this address: who has given all of them back hears nothing';
comment on column notice_recipients.state is 'posted: it is a letter (mails); left: they hold nothing any more, or their address was erased, before there was one';
comment on column notice_recipients.mail_id is 'of a letter, which is forgotten some days after it is sent';
create index notice_recipients_open on notice_recipients (notice_id, buyer_id) where state in ('due', 'posted');
create index notice_recipients_posted on notice_recipients (mail_id) where state = 'posted';

alter table notices enable row level security;
create policy tenant on notices to ropeline_tenant using (exists (select from events e where e.id = event_id));
grant select, insert on notices to ropeline_tenant;
alter table notice_recipients enable row level security;
create policy tenant on notice_recipients to ropeline_tenant using (exists (select from notices n where n.id = notice_id));
grant select, insert on notice_recipients to ropeline_tenant;

-- +goose StatementBegin
do $$
declare
    known text;
begin
    select pg_get_constraintdef(oid) into strict known from pg_constraint
    where conrelid = 'catalogue_changes'::regclass and conname = 'catalogue_changes_what_known';
    alter table catalogue_changes drop constraint catalogue_changes_what_known;
    execute format('alter table catalogue_changes add constraint catalogue_changes_what_known check (what = ''notice'' or %s)', substring(known from 'CHECK (.*)'));
end
$$;
-- +goose StatementEnd
