-- +goose Up

-- Who wants to be told of what happens. Secrets are not here: they are made of the
-- installation's key, the endpoint's id and its generation.
create table webhook_endpoints (
    id            uuid        not null,
    url           text        not null,
    kinds         text[]      not null,
    description   text        not null default '',
    state         text        not null default 'on',
    generation    integer     not null default 1,
    old_until     timestamptz not null default '-infinity',
    failing_since timestamptz,
    who           text        not null,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    constraint webhook_endpoints_pkey primary key (id),
    constraint webhook_endpoints_url_bounded check (length(url) between 1 and 2000),
    constraint webhook_endpoints_description_bounded check (length(description) <= 200),
    constraint webhook_endpoints_state_known check (state in ('on', 'off', 'broken')),
    constraint webhook_endpoints_generation_positive check (generation >= 1)
);
comment on column webhook_endpoints.state is 'on; off: by staff; broken: switched off because nothing was taken for days';
comment on column webhook_endpoints.old_until is 'until then what is sent is signed with the secret of the generation before, too';
comment on column webhook_endpoints.failing_since is 'first of the failures since something was taken last';

-- What happened, as it is sent. A row is written in the transaction of what it tells,
-- by the triggers below, so none is ever there without the other.
create sequence webhook_event_order;
create table webhook_events (
    id       uuid        not null default gen_random_uuid(),
    n        bigint      not null default nextval('webhook_event_order'),
    kind     text        not null,
    subject  uuid        not null,
    body     text        not null,
    at       timestamptz not null default now(),
    constraint webhook_events_pkey primary key (id)
);
alter sequence webhook_event_order owned by webhook_events.n;
comment on column webhook_events.n is 'what happened to one subject later has a higher number';
comment on column webhook_events.subject is 'the order, or performance, that it is about: its events are delivered in their order';
create index webhook_events_at on webhook_events (at);

create table webhook_deliveries (
    endpoint_id uuid        not null,
    n           bigint      not null,
    event_id    uuid        not null,
    subject     uuid        not null,
    state       text        not null default 'due',
    tries       integer     not null default 0,
    next_at     timestamptz not null default now(),
    give_up_at  timestamptz not null default now() + interval '1 day',
    status      integer     not null default 0,
    problem     text        not null default '',
    updated_at  timestamptz not null default now(),
    constraint webhook_deliveries_pkey primary key (endpoint_id, n),
    constraint webhook_deliveries_endpoint_fkey foreign key (endpoint_id) references webhook_endpoints (id) on delete cascade,
    constraint webhook_deliveries_event_fkey foreign key (event_id) references webhook_events (id) on delete cascade,
    constraint webhook_deliveries_state_known check (state in ('due', 'delivered', 'failed'))
);
comment on column webhook_deliveries.next_at is 'when it is tried next; while it is tried: when another may take it';
comment on column webhook_deliveries.status is 'of the last answer; 0 if there was none';
create index webhook_deliveries_due on webhook_deliveries (endpoint_id, subject, n) where state = 'due';
create index webhook_deliveries_event on webhook_deliveries (event_id);

-- What is sold out, so that it is said once.
create table webhook_sold_out (
    performance_id uuid        not null,
    since          timestamptz not null default now(),
    constraint webhook_sold_out_pkey primary key (performance_id)
);

-- +goose StatementBegin
create function webhook_wanted(variadic kinds_ text[]) returns boolean language sql stable as $$
    select exists (select from webhook_endpoints where kinds && kinds_)
$$;

-- Writes an event, and that it has to be delivered to each endpoint that wants it.
create function webhook_tell(kind_ text, subject_ uuid, data jsonb) returns void language plpgsql as $$
declare
    event webhook_events;
begin
    insert into webhook_events (kind, subject, body) values (kind_, subject_,
        jsonb_build_object('type', kind_, 'version', 1, 'timestamp', to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'data', data)::text)
    returning * into event;
    insert into webhook_deliveries (endpoint_id, n, event_id, subject)
    select e.id, event.n, event.id, subject_ from webhook_endpoints e where e.state = 'on' and kind_ = any(e.kinds);
end
$$;

create function webhook_order(o orders) returns jsonb language sql stable as $$
    select jsonb_build_object('order', o.id, 'performance', o.performance_id, 'sale', o.sale_id, 'state', o.state,
        'amount', o.amount, 'fee', o.fee, 'currency', o.currency, 'sold', case o.tender when '' then 'online' else 'counter' end,
        'tickets', (select coalesce(jsonb_agg(jsonb_build_object('ticket', t.id, 'tier', t.tier_id, 'label', t.label, 'amount', t.amount, 'state', t.state) order by t.unit), '[]')
            from tickets t where t.performance_id = o.performance_id and t.order_id = o.id))
$$;

-- The triggers are of statements, which many orders share. Where nobody wants to be
-- told they ask for that, and nothing else.
create function webhook_orders_made() returns trigger language plpgsql as $$
declare
    o orders;
begin
    if webhook_wanted('order.paid') then
        for o in select * from fresh where state = 'paid' order by id loop
            perform webhook_tell('order.paid', o.id, webhook_order(o));
        end loop;
    end if;
    return null;
end
$$;

create function webhook_orders_moved() returns trigger language plpgsql as $$
declare
    o orders;
begin
    if not webhook_wanted('order.paid', 'order.canceled') then
        return null;
    end if;
    for o in select f.* from fresh f join was w on w.performance_id = f.performance_id and w.id = f.id
            where f.state = 'paid' and w.state <> 'paid' or f.state = 'canceled' and w.state = 'paid' order by f.id loop
        if webhook_wanted('order.' || o.state) then
            perform webhook_tell('order.' || o.state, o.id, webhook_order(o));
        end if;
    end loop;
    return null;
end
$$;

create function webhook_tickets_moved() returns trigger language plpgsql as $$
declare
    t tickets;
begin
    if webhook_wanted('ticket.canceled') then
        for t in select f.* from fresh f join was w on w.performance_id = f.performance_id and w.id = f.id
                where f.state in ('canceled', 'void') and w.state in ('valid', 'blocked') order by f.unit loop
            perform webhook_tell('ticket.canceled', t.order_id, jsonb_build_object('ticket', t.id, 'order', t.order_id, 'performance', t.performance_id,
                'tier', t.tier_id, 'label', t.label, 'amount', t.amount, 'currency', t.currency));
        end loop;
    end if;
    return null;
end
$$;

create function webhook_refund(c cancellations) returns jsonb language sql immutable as $$
    select jsonb_build_object('refund', c.id, 'order', c.order_id, 'performance', c.performance_id, 'amount', c.amount, 'kept', c.kept, 'currency', c.currency)
$$;

create function webhook_refunds_made() returns trigger language plpgsql as $$
declare
    c cancellations;
begin
    if webhook_wanted('order.refunded') then
        for c in select * from fresh where state = 'refunded' and amount > 0 order by id loop
            perform webhook_tell('order.refunded', c.order_id, webhook_refund(c));
        end loop;
    end if;
    return null;
end
$$;

create function webhook_refunds_moved() returns trigger language plpgsql as $$
declare
    c cancellations;
begin
    if not webhook_wanted('order.refunded', 'order.refund_failed') then
        return null;
    end if;
    for c in select f.* from fresh f join was w on w.performance_id = f.performance_id and w.id = f.id
            where f.state in ('refunded', 'failed') and w.state <> f.state and f.amount > 0 order by f.id loop
        if c.state = 'refunded' and webhook_wanted('order.refunded') then
            perform webhook_tell('order.refunded', c.order_id, webhook_refund(c));
        elsif c.state = 'failed' and webhook_wanted('order.refund_failed') then
            perform webhook_tell('order.refund_failed', c.order_id, webhook_refund(c));
        end if;
    end loop;
    return null;
end
$$;

create function webhook_dispute() returns trigger language plpgsql as $$
begin
    if webhook_wanted('payment.disputed') then
        perform webhook_tell('payment.disputed', new.order_id, jsonb_build_object('dispute', new.id, 'order', new.order_id, 'performance', new.performance_id,
            'state', new.state, 'amount', new.amount, 'currency', new.currency));
    end if;
    return null;
end
$$;
-- +goose StatementEnd

create trigger dispute_made_told after insert on order_disputes for each row execute function webhook_dispute();
create trigger dispute_moved_told after update on order_disputes for each row when (old.state <> new.state) execute function webhook_dispute();
create trigger orders_made_told after insert on orders referencing new table as fresh
    for each statement execute function webhook_orders_made();
create trigger orders_moved_told after update on orders referencing old table as was new table as fresh
    for each statement execute function webhook_orders_moved();
create trigger tickets_moved_told after update on tickets referencing old table as was new table as fresh
    for each statement execute function webhook_tickets_moved();
create trigger refunds_made_told after insert on cancellations referencing new table as fresh
    for each statement execute function webhook_refunds_made();
create trigger refunds_moved_told after update on cancellations referencing old table as was new table as fresh
    for each statement execute function webhook_refunds_moved();
