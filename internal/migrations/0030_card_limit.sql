-- +goose Up

-- How many tickets of a sale a card has bought. Redis counted them, and a Redis that was
-- lost let each card buy as many once more.
alter table orders
    add column card text not null default '',
    add column card_most bigint not null default 0,
    add column card_until timestamptz,
    add constraint orders_card_counts check (card = '' or card_until is not null);
comment on column orders.card is 'keyed hash of the provider''s name of the card and of the sale: no card number, and another one in each sale. Of an exchange that of what was given up; empty: it is not known';
comment on column orders.card_most is 'how many tickets of the sale the card might pay for then; 0: any number';
comment on column orders.card_until is 'until when these count';
create index orders_card on orders (card, performance_id) where card <> '';

-- Whoever asks goes alone with those cards until the end of the transaction, so that two
-- who pay at once cannot both be within a limit; they are locked in one order by all. A
-- volatile function sees what was committed while it waited.
-- +goose StatementBegin
create function units_of_cards(performances uuid[], cards text[]) returns table (of_card text, had bigint) language plpgsql volatile rows 10 as $$
begin
    if cardinality(cards) = 0 then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtextextended(c.name, 1)) from (select distinct name from unnest(cards) as name order by name) c;
    return query
        -- Asked in where, the state would bring in tickets_unit_once, which reads all of a performance.
        select o.card, count(*) filter (where t.state <> 'canceled') from orders o join tickets t on t.performance_id = o.performance_id and t.order_id = o.id
        where o.performance_id = any(performances) and o.card = any(cards) and o.card <> '' and o.card_until > now()
        group by o.card;
end
$$;
-- +goose StatementEnd
