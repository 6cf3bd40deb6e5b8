-- +goose Up

-- Who wants what an organization writes, and to which words they have said so: see package
-- newsletter. One row for each address of an organization.
create table newsletter_consents (
    id              uuid        not null,
    organization_id uuid        not null,
    email           text        not null,
    person_id       uuid,
    state           text        not null,
    place           text        not null,
    words           text        not null,
    language        text        not null,
    performance_id  uuid,
    order_id        uuid,
    asked_at        timestamptz not null default now(),
    written_at      timestamptz,
    given_at        timestamptz,
    withdrawn_at    timestamptz,
    withdrawn_by    text        not null default '',
    constraint newsletter_consents_pkey primary key (id),
    constraint newsletter_consents_once unique (organization_id, email),
    constraint newsletter_consents_organization_fkey foreign key (organization_id) references organizations (id),
    constraint newsletter_consents_person_fkey foreign key (person_id) references people (id),
    constraint newsletter_consents_email_lower check (email = lower(email)),
    constraint newsletter_consents_state_known check (state in ('asked', 'given', 'withdrawn')),
    constraint newsletter_consents_place_known check (place in ('checkout', 'account')),
    constraint newsletter_consents_words_bounded check (length(words) between 1 and 500),
    constraint newsletter_consents_given check (state <> 'given' or given_at is not null),
    constraint newsletter_consents_withdrawn check ((state = 'withdrawn') = (withdrawn_at is not null))
);
comment on column newsletter_consents.state is 'asked: at a checkout, and nobody has confirmed it yet';
comment on column newsletter_consents.words is 'that were shown to whoever gave it';
comment on column newsletter_consents.order_id is 'at whose checkout it was asked';
comment on column newsletter_consents.written_at is 'when a letter was written that asks whether it is so';
comment on column newsletter_consents.withdrawn_by is 'link, account or complaint';
create index newsletter_consents_person on newsletter_consents (person_id) where person_id is not null;
create index newsletter_consents_email on newsletter_consents (email);
create index newsletter_consents_asked on newsletter_consents (asked_at) where state = 'asked';

create table newsletters (
    id              uuid        not null,
    organization_id uuid        not null,
    subject         text        not null,
    body            text        not null,
    who             text        not null,
    created_at      timestamptz not null default now(),
    due_at          timestamptz not null default now(),
    done_at         timestamptz,
    constraint newsletters_pkey primary key (id),
    constraint newsletters_organization_fkey foreign key (organization_id) references organizations (id),
    constraint newsletters_subject_bounded check (length(subject) between 1 and 150),
    constraint newsletters_body_bounded check (length(body) between 1 and 5000)
);
comment on column newsletters.due_at is 'when some more of its letters are written; while somebody does: when another may';
create index newsletters_organization on newsletters (organization_id, id);
create index newsletters_due on newsletters (due_at) where done_at is null;

-- Who has consented when it was sent off. The consent may be gone since: its person was erased.
create table newsletter_recipients (
    newsletter_id uuid not null,
    consent_id    uuid not null,
    state         text not null default 'due',
    mail_id       uuid,
    constraint newsletter_recipients_pkey primary key (newsletter_id, consent_id),
    constraint newsletter_recipients_newsletter_fkey foreign key (newsletter_id) references newsletters (id),
    constraint newsletter_recipients_state_known check (state in ('due', 'posted', 'sent', 'failed', 'left')),
    constraint newsletter_recipients_mail_once unique (mail_id),
    constraint newsletter_recipients_mailed check ((state in ('posted', 'sent', 'failed')) = (mail_id is not null))
);
comment on column newsletter_recipients.state is 'posted: it is a letter (mails); left: withdrawn or erased before it was sent';
create index newsletter_recipients_open on newsletter_recipients (newsletter_id, consent_id) where state in ('due', 'posted');
create index newsletter_recipients_posted on newsletter_recipients (consent_id, mail_id) where state = 'posted';

-- Staff learn how many have consented, and not who.
alter table newsletter_consents enable row level security;
create policy tenant on newsletter_consents to ropeline_tenant using (organization_id = tenant());
grant select (id, organization_id, state) on newsletter_consents to ropeline_tenant;
alter table newsletters enable row level security;
create policy tenant on newsletters to ropeline_tenant using (organization_id = tenant());
grant select, insert on newsletters to ropeline_tenant;
alter table newsletter_recipients enable row level security;
create policy tenant on newsletter_recipients to ropeline_tenant using (exists (select from newsletters n where n.id = newsletter_id));
grant select, insert on newsletter_recipients to ropeline_tenant;

-- A letter that is sent again is counted again.
-- +goose StatementBegin
create function newsletter_mails_sent_again() returns trigger language plpgsql as $$
begin
    update newsletter_recipients set state = 'posted' where mail_id = new.id and state = 'failed';
    update newsletters set done_at = null, due_at = now() where id in (select newsletter_id from newsletter_recipients where mail_id = new.id);
    return null;
end
$$;

do $$
declare
    known text;
begin
    select pg_get_constraintdef(oid) into strict known from pg_constraint
    where conrelid = 'catalogue_changes'::regclass and conname = 'catalogue_changes_what_known';
    alter table catalogue_changes drop constraint catalogue_changes_what_known;
    execute format('alter table catalogue_changes add constraint catalogue_changes_what_known check (what = ''newsletter'' or %s)', substring(known from 'CHECK (.*)'));
end
$$;
-- +goose StatementEnd
create trigger newsletter_mails_sent_again after update on mails for each row when (old.state = 'failed' and new.state = 'due') execute function newsletter_mails_sent_again();
