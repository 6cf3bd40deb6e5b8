-- +goose Up

-- Codes on phones are signed with a key of the ticket and of its issue (package ticket).
alter table tickets add column issue integer not null default 1;
alter table tickets add constraint tickets_issue_known check (issue between 1 and 65535);
comment on column tickets.issue is 'goes up with each holder, who gets a new code too: codes of the issue before open nothing';
comment on column tickets.code is 'random secret of the printed QR code, 128 bits or more; whether it opens a door the rules of the doors say';
