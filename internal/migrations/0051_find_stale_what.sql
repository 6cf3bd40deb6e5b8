-- +goose Up

-- What is summed up of many events is noted once for all of them (package find).
create index find_stale_what on find_stale (kind, id);
