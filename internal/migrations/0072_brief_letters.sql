-- +goose Up

-- What is of use for minutes, to whoever has no account: nothing of it is kept once it was
-- sent or given up (package mail).
alter table mails add column brief boolean not null default false;
comment on column mails.brief is 'address and text are forgotten also where it was given up, and it is in no inbox';
