-- +goose Up

-- A letter is sent by a job (river_job, migration 54) that names it: see package mail.
alter table mails add column cause text;
alter table mails add constraint mails_cause_once unique (cause);
comment on column mails.cause is 'what it tells of, and whom: of one cause there is one letter, for as long as it is known of; null: not asked';
comment on column mails.next_at is 'while it is tried, and until it is tried again: when somebody may';
drop index mails_due;
create index mails_due on mails (created_at) where state = 'due';

-- Letters of an older program.
insert into river_job (kind, queue, max_attempts, args, scheduled_at)
    select 'letter', 'letters', 1000, jsonb_build_object('letter', id), next_at from mails where state = 'due';

-- What an organization does may end in a letter, in the same transaction. A job says
-- nothing but a letter's id.
grant insert on mails to ropeline_tenant;
grant insert, select, update (kind) on river_job to ropeline_tenant;
grant usage on sequence river_job_id_seq to ropeline_tenant;
