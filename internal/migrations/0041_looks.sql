-- +goose Up

-- How the pages of sales look: every version, with the logo as it was drawn anew. Which
-- domain shows which sales is in the newest of each.
create table looks (
    sale_id     text        not null,
    version     integer     not null,
    document    jsonb       not null,
    logo        bytea,
    logo_width  integer     not null default 0,
    logo_height integer     not null default 0,
    created_at  timestamptz not null default now(),
    constraint looks_pkey primary key (sale_id, version),
    constraint looks_sale_fkey foreign key (sale_id) references sales (id),
    constraint looks_version_positive check (version >= 1),
    constraint looks_logo_bounded check (length(logo) <= 131072),
    constraint looks_logo_has_sides check ((logo is null) = (logo_width = 0) and (logo is null) = (logo_height = 0))
);
comment on column looks.document is 'texts, colors and domains, as they were put: see docs/look.md';
comment on column looks.logo is 'a JPEG of our own making';

alter table looks enable row level security;
create policy tenant on looks to ropeline_tenant using (exists (select from sales s where s.id = sale_id));
grant select, insert on looks to ropeline_tenant;

-- One more kind of change, beside those that there are.
-- +goose StatementBegin
do $$
declare
    known text;
begin
    select pg_get_constraintdef(oid) into strict known from pg_constraint
    where conrelid = 'catalogue_changes'::regclass and conname = 'catalogue_changes_what_known';
    alter table catalogue_changes drop constraint catalogue_changes_what_known;
    execute format('alter table catalogue_changes add constraint catalogue_changes_what_known check (what = ''look'' or %s)', substring(known from 'CHECK (.*)'));
end
$$;
-- +goose StatementEnd
