-- +goose Up

-- The door: who may enter where, and what scanners have read (package door).

alter table memberships drop constraint memberships_roles_known,
    add constraint memberships_roles_known check (roles <@ case when organization_id is null then array['sre', 'admin'] else array['organizer', 'venue', 'boxoffice', 'door', 'supervisor'] end);
alter table invitations drop constraint invitations_roles_known,
    add constraint invitations_roles_known check (roles <@ case when organization_id is null then array['sre', 'admin'] else array['organizer', 'venue', 'boxoffice', 'door', 'supervisor'] end);

create table door_settings (
    performance_id uuid        not null,
    version        integer     not null,
    printed        boolean     not null,
    reentry        boolean     not null,
    doors          jsonb       not null,
    changed_at     timestamptz not null default now(),
    constraint door_settings_pkey primary key (performance_id),
    constraint door_settings_performance_fkey foreign key (performance_id) references performances (id),
    constraint door_settings_version_positive check (version >= 1),
    constraint door_settings_doors_some check (jsonb_typeof(doors) = 'array' and jsonb_array_length(doors) between 1 and 50)
);
comment on table door_settings is 'the rules of the doors; a performance without a row has one door, for everybody, with paper, once';
comment on column door_settings.printed is 'whether printed codes open doors';
comment on column door_settings.reentry is 'whether who went out may come in again';
comment on column door_settings.doors is 'name, zone that it leads into, and areas (sections, tiers) that may pass; none: all';
alter table door_settings enable row level security;
create policy tenant on door_settings to ropeline_tenant using (exists (select from performances p where p.id = performance_id));
grant select, insert, update on door_settings to ropeline_tenant;

create table scans (
    performance_id uuid        not null,
    id             uuid        not null,
    ticket_id      uuid,
    at             timestamptz not null default now(),
    taken_at       timestamptz not null default now(),
    door           text        not null,
    zone           text        not null,
    direction      text        not null,
    way            text        not null,
    device         text        not null,
    who            text        not null,
    passed         boolean     not null,
    reason         text        not null,
    offline        boolean     not null,
    before_scan    uuid,
    undone_at      timestamptz,
    undone_by      text,
    constraint scans_pkey primary key (performance_id, id),
    constraint scans_direction_known check (direction in ('in', 'out')),
    constraint scans_way_known check (way in ('phone', 'printed', 'hand', 'none')),
    constraint scans_undone_by_somebody check ((undone_at is null) = (undone_by is null))
);
comment on table scans is 'what scanners have read, and what they were told';
comment on column scans.id is 'made by the scanner: a scan that is sent again is the same one';
comment on column scans.at is 'when it was read; of a scanner that was offline, by its clock as it was set right';
comment on column scans.taken_at is 'when it came here';
comment on column scans.way is 'phone, printed: by which code; hand: staff looked the ticket up; none: it is no code of ours';
comment on column scans.passed is 'whether the door opened';
comment on column scans.reason is 'why not; or what is wrong with one that passed where nobody could know';
comment on column scans.before_scan is 'by which the ticket was used already';
create index scans_ticket on scans (performance_id, ticket_id, at) where ticket_id is not null;
create index scans_at on scans (performance_id, at);

create table door_entries (
    performance_id uuid        not null,
    ticket_id      uuid        not null,
    zone           text        not null,
    inside         boolean     not null,
    scan_id        uuid        not null,
    at             timestamptz not null,
    door           text        not null,
    who            text        not null,
    constraint door_entries_pkey primary key (performance_id, ticket_id, zone)
);
comment on table door_entries is 'of each ticket that opened a door, where its holder is now: a row for each zone, so that it opens none twice';
comment on column door_entries.scan_id is 'by which it is so';

-- +goose StatementBegin
do $$
declare
    known text;
begin
    select pg_get_constraintdef(oid) into strict known from pg_constraint
    where conrelid = 'catalogue_changes'::regclass and conname = 'catalogue_changes_what_known';
    alter table catalogue_changes drop constraint catalogue_changes_what_known;
    execute format('alter table catalogue_changes add constraint catalogue_changes_what_known check (what in (''door'', ''scan'') or %s)', substring(known from 'CHECK (.*)'));

    -- Scans are entries of an order's ledger.
    select pg_get_constraintdef(oid) into strict known from pg_constraint
    where conrelid = 'order_ledger'::regclass and conname = 'order_ledger_entry_known';
    alter table order_ledger drop constraint order_ledger_entry_known;
    execute format('alter table order_ledger add constraint order_ledger_entry_known check (entry in (''scanned_in'', ''scanned_out'', ''scanned_twice'', ''scan_undone'') or %s)',
        substring(known from 'CHECK (.*)'));
    execute format('comment on column order_ledger.entry is %L', col_description('order_ledger'::regclass,
        (select attnum from pg_attribute where attrelid = 'order_ledger'::regclass and attname = 'entry'))
        || '; scanned_in, scanned_out: the ticket opened a door; scanned_twice: and opened one that did not know of it; scan_undone: that was taken back. Amount is 0');
end
$$;
-- +goose StatementEnd

-- One scan: what is wrong with it, or that it opens the door, and all that is to be written
-- of it. Two at once of one ticket come one after the other at the row of door_entries.
-- verdict is what the code itself is refused with, read by the core. said is what a scanner
-- that was offline has decided by itself, at that time: a door that was opened stays open,
-- whatever there is to say against it. null: it asks.
-- +goose StatementBegin
create function door_scan(of_performance uuid, of_scan uuid, of_ticket uuid, of_issue integer, verdict text, by_way text, at_door text, to_direction text,
    by_device text, by_who text, said boolean, happened timestamptz)
returns table (passed boolean, reason text, at timestamptz, zone text, order_id uuid, label text, tier text, holder text,
    used_scan uuid, used_at timestamptz, used_door text, used_who text, reused boolean) language plpgsql as $$
#variable_conflict use_column
declare
    rules record; gate jsonb; t record; was scans%rowtype; e door_entries%rowtype; first record;
    why text := verdict; zone_ text; at_ timestamptz := coalesce(happened, now()); written bigint; open boolean; used boolean := false;
begin
    select s.printed, s.reentry, s.doors into rules from door_settings s where s.performance_id = of_performance;
    if found then
        select d into gate from jsonb_array_elements(rules.doors) d where d->>'name' = at_door;
    else
        select true as printed, false as reentry into rules;
        gate := case when at_door = 'Main entrance' then '{}'::jsonb end;
    end if;
    zone_ := coalesce(gate->>'zone', '');

    select null::uuid as order_id, 0 as unit, null::text as label, null::text as state, 0 as issue, null::text as currency, null::text as tier, null::text as holder into t;
    if of_ticket is not null then
        select k.order_id, k.unit, k.label, k.state, k.issue, k.currency, r.name as tier, coalesce(nullif(k.name, ''), x.email, b.email) as holder into t
        from tickets k join tiers r on r.performance_id = k.performance_id and r.id = k.tier_id
            join orders o on o.performance_id = k.performance_id and o.id = k.order_id join buyers b on b.id = o.buyer_id
            left join transfers x on x.id = k.holder
        where k.performance_id = of_performance and k.id = of_ticket for share of k;
        if not found then
            why := case when exists (select from tickets k where k.id = of_ticket) then 'other-performance' else 'unknown' end;
        end if;
    end if;

    select s.* into was from scans s where s.performance_id = of_performance and s.id = of_scan;
    if found then
        select s.at, s.door, s.who into first from scans s where s.performance_id = of_performance and s.id = was.before_scan;
        return query select was.passed, was.reason, was.at, was.zone, t.order_id, t.label, t.tier, t.holder, was.before_scan, first.at, first.door, first.who,
            was.ticket_id is distinct from case when t.order_id is not null then of_ticket end or was.door <> at_door or was.direction <> to_direction;
        return;
    end if;

    if t.order_id is not null then
        why := case
            when t.state = 'unpaid' then 'unpaid'
            when t.state = 'canceled' then 'canceled'
            when t.state <> 'valid' then 'disputed'
            when by_way = 'phone' and t.issue <> of_issue then 'old-holder'
            when verdict <> '' then verdict
            when by_way = 'printed' and not rules.printed then 'printed-not-allowed'
            when gate is null then 'door-unknown'
            when jsonb_array_length(coalesce(nullif(gate->'areas', 'null'), '[]')) > 0 and not gate->'areas' ? t.tier and not gate->'areas' ? coalesce(
                (select s.section from seat_rows s where s.performance_id = of_performance and s.first_unit <= t.unit and t.unit < s.first_unit + s.units
                    order by s.first_unit desc limit 1), t.tier) then 'wrong-zone'
            when to_direction = 'out' and not rules.reentry then 'no-reentry'
            else '' end;
    end if;

    -- A scanner that was offline did not know what others had read; and what it refused, it refused.
    if said is false then
        why := coalesce(nullif(why, ''), 'refused');
    elsif why = '' then
        if to_direction = 'in' then
            insert into door_entries as d (performance_id, ticket_id, zone, inside, scan_id, at, door, who)
            values (of_performance, of_ticket, zone_, true, of_scan, at_, at_door, by_who) on conflict do nothing;
            get diagnostics written = row_count;
        end if;
        if written is distinct from 1 then
            select d.* into e from door_entries d where d.performance_id = of_performance and d.ticket_id = of_ticket and d.zone = zone_ for update;
            if e.scan_id = of_scan then
                null; -- the same scan, sent twice at once: it is written
            elsif to_direction = 'out' and e.inside is not true then
                why := 'not-inside';
            elsif to_direction = 'in' and (e.inside or not rules.reentry) then
                why := 'used';
                used := true;
                if at_ < e.at and said and e.inside then -- it came in first
                    update door_entries d set at = at_, door = at_door, who = by_who where d.performance_id = of_performance and d.ticket_id = of_ticket and d.zone = zone_;
                end if;
            else
                update door_entries d set inside = to_direction = 'in', scan_id = of_scan, at = at_, door = at_door, who = by_who
                where d.performance_id = of_performance and d.ticket_id = of_ticket and d.zone = zone_;
            end if;
        end if;
    end if;
    open := coalesce(said, why = '');

    insert into scans (performance_id, id, ticket_id, at, door, zone, direction, way, device, who, passed, reason, offline, before_scan)
    values (of_performance, of_scan, case when t.order_id is not null then of_ticket end, at_, at_door, zone_, to_direction, by_way, by_device, by_who, open, why, said is not null,
        case when used then e.scan_id end) on conflict do nothing;
    get diagnostics written = row_count;
    if written = 1 and open and t.order_id is not null then
        insert into order_ledger (performance_id, order_id, entry, ticket_id, amount, currency, who)
        values (of_performance, t.order_id, case when used then 'scanned_twice' when to_direction = 'in' then 'scanned_in' else 'scanned_out' end, of_ticket, 0, t.currency, by_who);
    end if;
    return query select open, why, at_, zone_, t.order_id, t.label, t.tier, t.holder,
        case when used then e.scan_id end, case when used then e.at end, case when used then e.door end, case when used then e.who end, false;
end
$$;
-- +goose StatementEnd
comment on function door_scan is 'decides on one scan and writes it down; the same scan again is answered as before';
