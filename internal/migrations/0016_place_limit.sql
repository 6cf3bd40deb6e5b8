-- +goose Up

-- How many units a place of the line has in the performances of a sale: bought, or
-- being paid for. What was canceled is not its any more.
create index attempts_place on attempts (place_id, performance_id)
    where state in ('started', 'acting', 'recorded', 'captured', 'done');

-- Whoever asks goes alone with that place until the end of the transaction, so that
-- two who pay at once cannot both be within its limit. A volatile function sees what
-- was committed while it waited.
-- +goose StatementBegin
create function units_of_place(performances uuid[], place text) returns bigint language plpgsql volatile as $$
declare
    had bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended(place, 0));
    select coalesce(sum(cardinality(a.units) - (
        select count(*) from orders o join tickets t on t.performance_id = o.performance_id and t.order_id = o.id
        where o.performance_id = a.performance_id and o.attempt_id = a.id and t.state = 'canceled'
    )), 0) into had
    from attempts a
    where a.performance_id = any(performances) and a.place_id = place and a.state in ('started', 'acting', 'recorded', 'captured', 'done');
    return had;
end
$$;
-- +goose StatementEnd
