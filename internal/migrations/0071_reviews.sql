-- +goose Up

-- What people say of events: reviews by who was there, questions, and comments on both; and
-- what the organizer answers. See package review.
create table posts (
    id              uuid        not null,
    organization_id uuid        not null,
    event_id        uuid        not null,
    parent_id       uuid,
    kind            text        not null,
    person_id       uuid,
    name            text        not null,
    stars           smallint,
    body            text        not null,
    state           text        not null,
    reason          text        not null default '',
    reported        integer     not null default 0,
    answer          text        not null default '',
    answered_at     timestamptz,
    version         integer     not null default 1,
    key             text,
    request         bytea,
    created_at      timestamptz not null default now(),
    edited_at       timestamptz,
    decided_at      timestamptz,
    decided_by      text        not null default '',
    constraint posts_pkey primary key (id),
    constraint posts_organization_fkey foreign key (organization_id) references organizations (id),
    constraint posts_event_fkey foreign key (event_id) references events (id),
    constraint posts_parent_fkey foreign key (parent_id) references posts (id),
    constraint posts_person_fkey foreign key (person_id) references people (id),
    constraint posts_kind_known check (kind in ('review', 'question', 'comment')),
    constraint posts_state_known check (state in ('waiting', 'shown', 'refused', 'gone')),
    constraint posts_comments_on check ((kind = 'comment') = (parent_id is not null)),
    constraint posts_stars_of_reviews check (stars is null or kind = 'review' and stars between 1 and 5),
    constraint posts_body_bounded check (length(body) <= 2000),
    constraint posts_name_bounded check (length(name) <= 60),
    constraint posts_answer_bounded check (length(answer) <= 2000),
    constraint posts_answered check ((answer = '') = (answered_at is null)),
    constraint posts_refused_for_a_reason check ((state = 'refused') = (reason <> '')),
    constraint posts_said check (case when state = 'gone' then body = '' and name = '' and stars is null
        else body <> '' and name <> '' and person_id is not null and (kind = 'review') = (stars is not null) end),
    constraint posts_key_once unique (person_id, key)
);
comment on table posts is 'what people say of events; gone: taken back by who wrote it, or they were erased, and only the place is left where it stood';
comment on column posts.name is 'personal data: as its writer signs it';
comment on column posts.person_id is 'who wrote it; null: they were erased';
comment on column posts.body is 'personal data: plain text, forgotten once it is gone';
comment on column posts.reason is 'why it is not shown, as its writer reads it';
comment on column posts.reported is 'by how many people, since staff have last decided on it';
comment on column posts.version is 'changed by its writer and by staff alike: nobody decides on words that they have not seen';
comment on column posts.key is 'of the request that wrote it, and request what that said: the same one again is the same post';
-- Of two at once one is there.
create unique index posts_review_once on posts (event_id, person_id) where kind = 'review' and state <> 'gone' and person_id is not null;
create index posts_of_person on posts (person_id, id) where person_id is not null;
create index posts_of_event on posts (event_id, kind, id) where state in ('shown', 'gone');
create index posts_stars on posts (event_id, stars, id) where kind = 'review' and state = 'shown';
create index posts_of_parent on posts (parent_id, id) where parent_id is not null;
create index posts_in_state on posts (organization_id, state, id);
create index posts_reported on posts (organization_id, id) where reported > 0;

create table post_reports (
    post_id    uuid        not null,
    person_id  uuid        not null,
    created_at timestamptz not null default now(),
    constraint post_reports_pkey primary key (post_id, person_id),
    constraint post_reports_post_fkey foreign key (post_id) references posts (id),
    constraint post_reports_person_fkey foreign key (person_id) references people (id)
);
comment on table post_reports is 'who has reported what: once each, whatever staff have decided since';
create index post_reports_of_person on post_reports (person_id, created_at);

create table review_settings (
    organization_id uuid        not null,
    version         integer     not null,
    before          boolean     not null,
    changed_at      timestamptz not null default now(),
    constraint review_settings_pkey primary key (organization_id),
    constraint review_settings_organization_fkey foreign key (organization_id) references organizations (id),
    constraint review_settings_version_positive check (version >= 1)
);
comment on column review_settings.before is 'whether staff look at a post before it is shown; without a row: they do';

-- Staff learn what was written, and not whose account that is.
alter table posts enable row level security;
create policy tenant on posts to ropeline_tenant using (organization_id = tenant());
grant select (id, organization_id, event_id, parent_id, kind, name, stars, body, state, reason, reported, answer, answered_at, version, created_at, edited_at, decided_at, decided_by),
    update (state, reason, reported, answer, answered_at, version, decided_at, decided_by) on posts to ropeline_tenant;
alter table review_settings enable row level security;
create policy tenant on review_settings to ropeline_tenant using (organization_id = tenant());
grant select, insert, update on review_settings to ropeline_tenant;

-- Who wrote it is told what became of it: a job of the same transaction, that names it.
-- +goose StatementBegin
create function letters_of_posts() returns trigger language plpgsql as $$
begin
    insert into river_job (kind, queue, max_attempts, args) values ('cause', 'bulk', 1000, jsonb_build_object('what', 'post', 'post', new.id,
        'change', case when new.answer <> old.answer and new.answer <> '' then 'answered' else new.state end || ':' || new.version));
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
    execute format('alter table catalogue_changes add constraint catalogue_changes_what_known check (what in (''post'', ''moderation'') or %s)', substring(known from 'CHECK (.*)'));
end
$$;
-- +goose StatementEnd
create trigger posts_decided after update on posts for each row
    when (new.state in ('shown', 'refused') and new.decided_at is distinct from old.decided_at
        and (new.state <> old.state or new.reason <> old.reason or new.answer <> old.answer and new.answer <> ''))
    execute function letters_of_posts();
