-- +goose Up

alter table ops_schedule add column public_reason jsonb;
comment on column ops_schedule.public_reason is 'the reason in words for everybody, by language; null: none beside reason';
