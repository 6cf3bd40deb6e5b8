-- +goose Up

-- What is typed of a sale while it is being set up, so that it survives whoever types it.
create table drafts (
    event_id   uuid        not null,
    version    integer     not null,
    document   text        not null,
    who        text        not null,
    changed_at timestamptz not null default now(),
    constraint drafts_pkey primary key (event_id),
    constraint drafts_event_fkey foreign key (event_id) references events (id) on delete cascade,
    constraint drafts_version_positive check (version >= 1),
    constraint drafts_document_bounded check (octet_length(document) between 2 and 60000)
);
comment on table drafts is 'unfinished: what comes of one is a program, which is checked';
comment on column drafts.document is 'a JSON object of the page that keeps it; text, because it is never looked into';

alter table drafts enable row level security;
create policy tenant on drafts to ropeline_tenant using (exists (select from events e where e.id = event_id));
grant select, insert, update, delete on drafts to ropeline_tenant;

-- That a sale is to be made known to the line, as its document is now. Whoever asks has no
-- key that signs terms or draws; the admission part has, and does it.
create table publications (
    sale_id    text        not null,
    version    bigint      not null,
    reason     text        not null,
    who        text        not null,
    asked_at   timestamptz not null default now(),
    tried_at   timestamptz,
    done_at    timestamptz,
    refusal    jsonb,
    constraint publications_pkey primary key (sale_id),
    constraint publications_sale_fkey foreign key (sale_id) references sales (id),
    constraint publications_version_positive check (version >= 1),
    constraint publications_refused_when_done check (refusal is null or done_at is not null)
);
comment on column publications.version is 'of the sale''s document that was asked for';
comment on column publications.tried_at is 'when the admission part took it last: it is taken again some seconds later, unless it is done';
comment on column publications.refusal is 'code and detail: why it never will be, as it is';
create index publications_open on publications (asked_at) where done_at is null;

alter table publications enable row level security;
create policy tenant on publications to ropeline_tenant using (exists (select from sales s where s.id = sale_id));
grant select, insert, update on publications to ropeline_tenant;

-- +goose StatementBegin
do $$
declare
    known text;
begin
    select pg_get_constraintdef(oid) into strict known from pg_constraint
    where conrelid = 'catalogue_changes'::regclass and conname = 'catalogue_changes_what_known';
    alter table catalogue_changes drop constraint catalogue_changes_what_known;
    execute format('alter table catalogue_changes add constraint catalogue_changes_what_known check (what = ''publication'' or %s)', substring(known from 'CHECK (.*)'));
end
$$;
-- +goose StatementEnd
