-- +goose Up

-- Addresses that the mail provider has told us of, by a code of each (as accounts are found):
-- who has the database alone cannot say whose they are. See package mail.
create table mail_marks (
    email_mac bytea       not null,
    kind      text        not null,
    problem   text        not null,
    at        timestamptz not null default now(),
    constraint mail_marks_pkey primary key (email_mac, kind),
    constraint mail_marks_kind_known check (kind in ('bounce', 'complaint')),
    constraint mail_marks_problem_bounded check (length(problem) <= 200)
);
create index mail_marks_at on mail_marks (at);

-- Reports that were taken in: none counts twice.
create table mail_reports (
    id text        not null,
    at timestamptz not null default now(),
    constraint mail_reports_pkey primary key (id)
);
create index mail_reports_at on mail_reports (at);

grant select on mail_marks to ropeline_tenant;
alter table mail_marks enable row level security;
-- Staff ask of an address that they see; nobody can tell whose the others are.
create policy reads on mail_marks for select to ropeline_tenant using (true);
