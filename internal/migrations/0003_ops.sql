-- +goose Up

-- What staff did, why, and what came of it. A change is a row intended before it
-- is made and a row effective or refused after it: one that has no second row
-- may have been made, and the script that makes it knows.
create table ops_audit (
    id           bigint      generated always as identity,
    change       uuid        not null,
    kind         text        not null,
    sale_id      text        not null,
    action       text        not null,
    who          text        not null,
    role         text        not null,
    via          text        not null default '',
    reason       text        not null,
    detail       jsonb       not null,
    at           timestamptz not null,
    effective_at timestamptz,
    entered_at   timestamptz not null default now(),
    constraint ops_audit_pkey primary key (id),
    -- An entry that is repeated, from the journal, is the same entry.
    constraint ops_audit_once unique (change, kind),
    constraint ops_audit_kind_known check (kind in ('intended', 'effective', 'refused'))
);
create index ops_audit_sale on ops_audit (sale_id, id desc);
comment on table ops_audit is 'what staff did, only ever appended to';
comment on column ops_audit.sale_id is 'empty for what is of no sale; no reference: what cannot be entered would be lost';
comment on column ops_audit.via is 'schedule: a change planned by who was made by the schedule';
comment on column ops_audit.at is 'by the clock of the process that did it';
comment on column ops_audit.effective_at is 'by the clock of Redis, where it was made there';
comment on column ops_audit.entered_at is 'later than at if this database was away';

-- +goose StatementBegin
create function ops_audit_refuse() returns trigger language plpgsql as $$
begin
    raise exception 'ops_audit is append-only: % refused', tg_op using errcode = 'restrict_violation';
end
$$;
-- +goose StatementEnd
create trigger ops_audit_append_only before update or delete on ops_audit
    for each row execute function ops_audit_refuse();
create trigger ops_audit_no_truncate before truncate on ops_audit
    for each statement execute function ops_audit_refuse();

-- Changes that are planned ahead of time.
create table ops_schedule (
    id         uuid        not null,
    sale_id    text        not null,
    at         timestamptz not null,
    settings   jsonb       not null,
    reason     text        not null,
    who        text        not null,
    role       text        not null,
    state      text        not null default 'planned',
    why        text        not null default '',
    created_at timestamptz not null default now(),
    closed_at  timestamptz,
    constraint ops_schedule_pkey primary key (id),
    constraint ops_schedule_state_known check (state in ('planned', 'done', 'refused', 'missed', 'canceled'))
);
create index ops_schedule_due on ops_schedule (at) where state = 'planned';
create index ops_schedule_sale on ops_schedule (sale_id, at);
comment on column ops_schedule.at is 'by the clock of Redis';
comment on column ops_schedule.why is 'what a change that was not made was refused with';

-- Sets of limits with a name.
create table ops_presets (
    name       text        not null,
    note       text        not null,
    share      integer     not null,
    settings   jsonb       not null,
    who        text        not null,
    updated_at timestamptz not null default now(),
    constraint ops_presets_pkey primary key (name),
    constraint ops_presets_share_percent check (share between 0 and 100)
);
comment on column ops_presets.share is 'percent of the cap and rate of the sale''s document; 0: settings say all';
