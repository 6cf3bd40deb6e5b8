-- +goose Up

-- What letters go to many are written by jobs, as those of orders are (migration 58): one that
-- finds out who gets one, and one for each of them. Letters that are written leave before
-- others are.
-- +goose StatementBegin
create function letter_to_many(cause jsonb, at timestamptz) returns void language sql as $$
    insert into river_job (kind, queue, max_attempts, priority, args, scheduled_at) values ('cause', 'bulk', 1000, 2, jsonb_strip_nulls(cause), at);
$$;
create function venue_line(name text, address text, city text) returns text language sql immutable parallel safe as $$
    select name || case when address = '' then '' else ', ' || address end || case when city = '' then '' else ', ' || city end
$$;
-- +goose StatementEnd
comment on function venue_line is 'where something is, as letters say it';

-- What a performance was before it was changed, until its holders are told: see package tidings.
create table performance_changes (
    id             uuid        not null default gen_random_uuid(),
    performance_id uuid        not null,
    starts_at      timestamptz not null,
    state          text        not null,
    place          text        not null,
    created_at     timestamptz not null default now(),
    told_at        timestamptz,
    constraint performance_changes_pkey primary key (id),
    constraint performance_changes_performance_fkey foreign key (performance_id) references performances (id)
);
comment on table performance_changes is 'changes of one minute are told together, and what was changed back is not';
comment on column performance_changes.told_at is 'when it was found out who has a letter';
create unique index performance_changes_open on performance_changes (performance_id) where told_at is null;

-- The triggers see what is others': a venue is changed by who manages it.
-- +goose StatementBegin
create function letters_of_change(performance uuid, was_start timestamptz, was_state text, was_place text) returns void language plpgsql as $$
declare
    change uuid;
begin
    if not exists (select from orders where performance_id = performance and state = 'paid') then
        return;
    end if;
    insert into performance_changes (performance_id, starts_at, state, place) values (performance, was_start, was_state, was_place)
        on conflict (performance_id) where told_at is null do nothing returning id into change;
    if found then
        perform letter_to_many(jsonb_build_object('what', 'change', 'performance', performance, 'order', '', 'change', change), now() + interval '1 minute');
    end if;
end
$$;

create function letters_of_performances_moved() returns trigger language plpgsql security definer set search_path from current as $$
begin
    perform letters_of_change(w.id, w.starts_at, w.state, venue_line(v.name, v.address, v.city))
        from was w join fresh f on f.id = w.id join venues v on v.id = w.venue_id
        where (f.starts_at, f.state) is distinct from (w.starts_at, w.state) and (greatest(f.starts_at, w.starts_at) > now() or w.state = 'postponed');
    return null;
end
$$;

create function letters_of_venues_moved() returns trigger language plpgsql security definer set search_path from current as $$
begin
    perform letters_of_change(p.id, p.starts_at, p.state, venue_line(w.name, w.address, w.city))
        from was w join fresh f on f.id = w.id join performances p on p.venue_id = w.id
        where venue_line(w.name, w.address, w.city) <> venue_line(f.name, f.address, f.city) and p.state <> 'canceled' and (p.starts_at > now() or p.state = 'postponed');
    return null;
end
$$;
-- +goose StatementEnd

create trigger performances_moved_written after update on performances referencing old table as was new table as fresh
    for each statement execute function letters_of_performances_moved();
create trigger venues_moved_written after update on venues referencing old table as was new table as fresh
    for each statement execute function letters_of_venues_moved();
