-- +goose Up

-- A scan's id was looked up before anything was known of how many there are, and the plan
-- was kept: by reading all scans, or all of the performance by scans_at. So a door became
-- slower with everybody who came in. An index of what opened a door is of no use for that, and
-- the function below is forbidden to read a table as a whole.
drop index scans_at;
create index scans_passed on scans (performance_id, at) where passed;

drop function door_scan;

-- Scans of one performance, which come in together: what is wrong with each, or that it opens
-- the door, and all that is to be written of it. The tickets' rows are held, in the order of
-- their ids, before anything is decided: whatever else is done with a ticket, as by another
-- core, comes before or after. Of several scans of one ticket each has its turn.
--
-- asked is an array of objects: n counts from 1; scan is the id that the scanner made, each
-- once; ticket or printed says what was read, if it is a code of ours; verdict is what the code
-- itself is refused with, read by the core. said is what a scanner that was offline has decided
-- by itself, at the time happened: a door that was opened stays open, whatever there is to say
-- against it. null: it asks.
--
-- The limits keep each look-up one by the whole key: of tables that were empty when it was
-- planned, Postgres would read all that is the performance's, and sift.
-- +goose StatementBegin
create function door_scans(of_performance uuid, asked jsonb)
returns table (n integer, passed boolean, reason text, at timestamptz, zone text, ticket_id uuid, order_id uuid, label text, tier text, holder text,
    used_scan uuid, used_at timestamptz, used_door text, used_who text, undone_at timestamptz, reused boolean)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
    found_ uuid[]; turns bigint[]; last bigint; several bigint; held bigint; elsewhere uuid[] := '{}';
    printed_ boolean; reentry_ boolean; doors_ jsonb; moment timestamptz;
begin
    select array_agg(f.id order by f.n), array_agg(f.turn order by f.n), max(f.turn), count(distinct f.id) into found_, turns, last, several
    from (select a.n, coalesce(a.ticket, k.id) as id,
            case when coalesce(a.ticket, k.id) is null then 1 else row_number() over (partition by coalesce(a.ticket, k.id) order by a.n) end as turn
        from jsonb_to_recordset(asked) as a (n integer, ticket uuid, printed text)
            left join lateral (select k.id from tickets k where k.performance_id = of_performance and k.code = a.printed limit 1) k on true) f;

    perform from (select distinct f.id from unnest(found_) as f (id) order by f.id) f
        cross join lateral (select from tickets k where k.performance_id = of_performance and k.id = f.id limit 1 for no key update) k;
    get diagnostics held = row_count;
    if held < several then
        elsewhere := array(select k.id from tickets k where k.id = any (found_));
    end if;

    select s.printed, s.reentry, s.doors into printed_, reentry_, doors_ from door_settings s where s.performance_id = of_performance;
    if not found then
        printed_ := true; reentry_ := false; doors_ := '[{"name": "Main entrance"}]';
    end if;

    for turn in 1 .. last loop
        moment := clock_timestamp(); -- later than that of whoever held the tickets, or had its turn, before
        return query
        with read as (
            select a.*, coalesce(a.happened, moment) as at, found_[a.n] as found, coalesce(g.gate->>'zone', '') as zone, g.gate
            from jsonb_to_recordset(asked) as a (n integer, scan uuid, issue integer, verdict text, way text, door text, direction text, device text, who text, said boolean, happened timestamptz)
                left join lateral (select d as gate from jsonb_array_elements(doors_) d where d->>'name' = a.door limit 1) g on true
            where turns[a.n] = turn
        ), known as (
            select a.*, k.id as ticket, k.order_id, k.label, k.currency, r.name as tier, coalesce(nullif(k.name, ''), x.email, b.email) as holder,
                w.id is not null as again, w.passed as was_passed, w.reason as was_reason, w.at as was_at, w.zone as was_zone, w.before_scan as was_before, w.undone_at, w.undone_at is not null and not w.offline as withdrawn,
                w.ticket_id is distinct from k.id or w.door <> a.door or w.direction <> a.direction as other,
                e.inside, e.scan_id as used_scan, e.at as used_at, e.door as used_door, e.who as used_who,
                case
                    when a.found is null then coalesce(nullif(a.verdict, ''), 'unknown')
                    when k.id is null then case when a.found = any (elsewhere) then 'other-performance' else 'unknown' end
                    when k.state = 'unpaid' then 'unpaid'
                    when k.state = 'canceled' then 'canceled'
                    when k.state <> 'valid' then 'disputed'
                    when a.way = 'phone' and k.issue <> a.issue then 'old-holder'
                    when a.verdict <> '' then a.verdict
                    when a.way = 'printed' and not printed_ then 'printed-not-allowed'
                    when a.gate is null then 'door-unknown'
                    when jsonb_array_length(coalesce(nullif(a.gate->'areas', 'null'), '[]')) > 0 and not a.gate->'areas' ? r.name and not a.gate->'areas' ? coalesce(
                        (select s.section from seat_rows s where s.performance_id = of_performance and s.first_unit <= k.unit and k.unit < s.first_unit + s.units
                            order by s.first_unit desc limit 1), r.name) then 'wrong-zone'
                    when a.direction = 'out' and not reentry_ then 'no-reentry'
                    when a.said is false then 'refused' -- a scanner that was offline, and what it refused, it refused
                    when a.direction = 'out' and e.inside is not true then 'not-inside'
                    when a.direction = 'in' and (e.inside or not reentry_ and e.scan_id is not null) then 'used'
                    else '' end as why
            from read a
                left join lateral (select k.* from tickets k where k.performance_id = of_performance and k.id = a.found limit 1) k on true
                left join tiers r on r.performance_id = of_performance and r.id = k.tier_id
                left join orders o on o.performance_id = of_performance and o.id = k.order_id
                left join buyers b on b.id = o.buyer_id
                left join transfers x on x.id = k.holder
                left join lateral (select w.* from scans w where w.performance_id = of_performance and w.id = a.scan limit 1) w on true
                left join lateral (select e.* from door_entries e where e.performance_id = of_performance and e.ticket_id = k.id and e.zone = a.zone limit 1) e on true
        ), judged as materialized (
            select k.*, coalesce(k.said, k.why = '') as opens from known k
        ), moved as ( -- or it came in first, as is known now
            insert into door_entries (performance_id, ticket_id, zone, inside, scan_id, at, door, who)
            select of_performance, j.ticket, j.zone, j.direction = 'in', case when j.why = '' then j.scan else j.used_scan end, j.at, j.door, j.who
            from judged j where not j.again and (j.why = '' or j.why = 'used' and j.said and j.inside and j.at < j.used_at)
            on conflict (performance_id, ticket_id, zone) do update
                set inside = excluded.inside, scan_id = excluded.scan_id, at = excluded.at, door = excluded.door, who = excluded.who
        ), written as (
            insert into scans (performance_id, id, ticket_id, at, taken_at, door, zone, direction, way, device, who, passed, reason, offline, before_scan)
            select of_performance, j.scan, j.ticket, j.at, moment, j.door, j.zone, j.direction, j.way, j.device, j.who, j.opens, j.why, j.said is not null,
                case when j.why = 'used' then j.used_scan end
            from judged j where not j.again
        ), told as (
            insert into order_ledger (performance_id, order_id, entry, ticket_id, amount, currency, who)
            select of_performance, j.order_id, case when j.why = 'used' then 'scanned_twice' when j.direction = 'in' then 'scanned_in' else 'scanned_out' end, j.ticket, 0, j.currency, j.who
            from judged j where not j.again and j.opens and j.ticket is not null
        )
        select j.n, j.opens, j.why, j.at, j.zone, j.ticket, j.order_id, j.label, j.tier, j.holder,
            u.scan, case when u.scan is not null then j.used_at end, case when u.scan is not null then j.used_door end, case when u.scan is not null then j.used_who end, null::timestamptz, false
        from judged j cross join lateral (select case when j.why = 'used' then j.used_scan end as scan) u where not j.again
        union all
        -- Taken back since, it opens nothing any more; a door that was opened without a network was.
        select j.n, j.was_passed and not j.withdrawn, case when j.withdrawn then 'undone' else j.was_reason end, j.was_at, j.was_zone, j.ticket, j.order_id, j.label, j.tier, j.holder, j.was_before, f.at, f.door, f.who, j.undone_at, j.other
        from judged j left join lateral (select f.at, f.door, f.who from scans f where f.performance_id = of_performance and f.id = j.was_before limit 1) f on true where j.again;
    end loop;
end
$$;
-- +goose StatementEnd
comment on function door_scans is 'decides on scans and writes them down; the same scan again is answered as before, unless it was taken back';
