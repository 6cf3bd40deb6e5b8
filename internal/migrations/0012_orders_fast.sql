-- +goose Up

-- Before a table was first analyzed Postgres takes the states of this index for
-- so rare that it looks an attempt's id up here, by the performance alone, and
-- so reads all attempts of the performance: the slower the more were made. An
-- index that begins with the hold is of no use for that.
drop index attempts_one_per_hold;
create unique index attempts_one_per_hold on attempts (hold_id, performance_id)
    where state in ('started', 'recorded', 'captured', 'done');

-- A row's order, or attempt, is in the partition of the same number, because all
-- are spread by the performance in the same way. A key between those two
-- partitions says the same as one between the tables, and is checked without a
-- plan that locks all sixteen.
alter table orders drop constraint orders_attempt_fkey;
alter table tickets drop constraint tickets_order_fkey;
alter table order_ledger drop constraint order_ledger_order_fkey;
-- +goose StatementBegin
do $$
declare
    n text;
begin
    for i in 0 .. 15 loop
        n := lpad(i::text, 2, '0');
        execute format('alter table orders_p%s add constraint orders_attempt_fkey '
            'foreign key (performance_id, attempt_id) references attempts_p%s (performance_id, id)', n, n);
        execute format('alter table tickets_p%s add constraint tickets_order_fkey '
            'foreign key (performance_id, order_id) references orders_p%s (performance_id, id)', n, n);
        execute format('alter table order_ledger_p%s add constraint order_ledger_order_fkey '
            'foreign key (performance_id, order_id) references orders_p%s (performance_id, id)', n, n);
    end loop;
end
$$;
-- +goose StatementEnd
