-- +goose Up

-- A change of a sale's limits is kept with the row that says it was made, whole: a
-- Redis that fails over may lose it, and whoever leads the sale writes it back from
-- here. The version is unique, so that of two changes made on two servers, of which
-- one took over from the other, one is answered with success.
alter table ops_audit add column limits_version bigint, add column limits json,
    add constraint ops_audit_limits_whole check ((limits is null) = (limits_version is null));
create unique index ops_audit_limits on ops_audit (sale_id, limits_version) where limits_version is not null;
comment on column ops_audit.limits_version is 'of the sale''s limits after the change; null: it was of something else';
comment on column ops_audit.limits is 'all limits after the change, and what the public was told of it, as queue/lua/steer.lua wrote them';
