-- +goose Up

-- Presale codes that organizers make themselves (package presale): the core writes them where
-- the command and the controllers do, as the organization whose sale it is.
grant insert on lane_code_batches, lane_codes to ropeline_tenant;
grant update (revoked) on lane_code_batches to ropeline_tenant;

-- +goose StatementBegin
do $$
declare
    known text;
begin
    select pg_get_constraintdef(oid) into strict known from pg_constraint
    where conrelid = 'catalogue_changes'::regclass and conname = 'catalogue_changes_what_known';
    alter table catalogue_changes drop constraint catalogue_changes_what_known;
    execute format('alter table catalogue_changes add constraint catalogue_changes_what_known check (what = ''codes'' or %s)', substring(known from 'CHECK (.*)'));
end
$$;
-- +goose StatementEnd
