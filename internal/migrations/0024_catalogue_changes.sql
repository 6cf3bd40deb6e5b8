-- +goose Up

-- What organizers have made of venues and sales, and who did it: written with the
-- change itself, and only ever appended to. Of a request that is sent again with the
-- same key the second row is refused, and the first says what came of it.
create table catalogue_changes (
    id      bigint      generated always as identity,
    at      timestamptz not null default now(),
    who     text        not null,
    what    text        not null,
    subject text        not null,
    version integer     not null default 0,
    name    text        not null default '',
    reason  text        not null default '',
    key     text,
    request bytea,
    constraint catalogue_changes_pkey primary key (id),
    constraint catalogue_changes_key_once unique (who, key),
    constraint catalogue_changes_what_known check (what in ('venue', 'program', 'reserve', 'release')),
    constraint catalogue_changes_reason_bounded check (length(reason) <= 200)
);
create index catalogue_changes_subject on catalogue_changes (subject, id desc);
comment on column catalogue_changes.who is 'staff: and a name, or command';
comment on column catalogue_changes.subject is 'the venue, the sale, or the performance whose reserve it is';
comment on column catalogue_changes.version is 'of the venue''s map or of the program, since then';
comment on column catalogue_changes.name is 'the id of a reserve';
comment on column catalogue_changes.request is 'a hash of what was asked for';

-- +goose StatementBegin
create function catalogue_changes_refuse() returns trigger language plpgsql as $$
begin
    raise exception 'catalogue_changes is append-only: % refused', tg_op using errcode = 'restrict_violation';
end
$$;
-- +goose StatementEnd
create trigger catalogue_changes_append_only before update or delete on catalogue_changes
    for each row execute function catalogue_changes_refuse();
create trigger catalogue_changes_no_truncate before truncate on catalogue_changes
    for each statement execute function catalogue_changes_refuse();

-- Every version of the programs that sales were made of.
create table programs (
    sale_id    text        not null,
    version    integer     not null,
    document   jsonb       not null,
    created_at timestamptz not null default now(),
    constraint programs_pkey primary key (sale_id, version),
    constraint programs_sale_fkey foreign key (sale_id) references sales (id),
    constraint programs_version_positive check (version >= 1)
);
comment on column programs.document is 'the program as it was put, see docs/venues.md, with the performances that were made';
