-- +goose Up

-- What happens in a house, one after the other. As venue_clashes (0034) it looks at all
-- rows, since that a house is taken is no secret; whose show it is, is told to whose it is
-- and to who manages the house, who is asked whether it may play there.
-- +goose StatementBegin
create function venue_calendar(venue uuid, since timestamptz, after uuid, most integer, apart interval)
returns table (performance_id uuid, event_id uuid, title text, state text, starts_at timestamptz, ends_at timestamptz, clash boolean)
language sql stable security definer set search_path from current as $$
    select p.id, case when known.known then e.id end, case when known.known then e.title else '' end, p.state, p.starts_at, p.ends_at,
        p.state = 'scheduled' and exists (
            select from performances o
            where o.venue_id = venue and o.state = 'scheduled' and o.id <> p.id and o.starts_at > p.starts_at - apart and o.starts_at < p.starts_at + apart)
    from performances p join events e on e.id = p.event_id join venues v on v.id = p.venue_id,
        lateral (select tenant() is null or e.organization_id = tenant() or v.organization_id = tenant()) known (known)
    where p.venue_id = venue and p.state <> 'canceled' and p.starts_at >= since
        and (after is null or (p.starts_at, p.id) > (select a.starts_at, a.id from performances a where a.id = after))
    order by p.starts_at, p.id limit most
$$;
-- +goose StatementEnd
grant execute on function venue_calendar to ropeline_tenant;
