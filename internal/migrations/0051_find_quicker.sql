-- +goose Up

-- What is summed up of many events is noted once for all of them (package find).
create index find_stale_what on find_stale (kind, id);

-- Of a word that thousands have the most popular are looked for among these first: there
-- are too many to visit each.
alter table find_entries add column popular boolean not null default false;
comment on column find_entries.popular is 'one of the most popular eighth, as of the last half minute';
create index find_entries_words_popular on find_entries using gin (words) where popular;

-- Thousands may have one name, too.
create index find_entries_named on find_entries (key, popularity desc, id);
drop index find_entries_key;

-- What is left of a word that is mistyped, in trigrams: of four letters of which two are
-- turned one of nine, of seven of which two are wrong two of fourteen; of all others a fifth
-- at least, by which a tenth as many words have to be looked at. (Of less than seven
-- letters only one may be wrong.)
drop function find_nearest;
-- +goose StatementBegin
do $$
declare
    name text; threshold real;
begin
    for name, threshold in values ('find_nearest_little', 0.1), ('find_nearest_much', 0.18) loop
        execute format('create function %I(mistyped text) returns table (near text, apart integer, have bigint) language sql stable strict
            set pg_trgm.similarity_threshold = %L as $f$
                select word::text, levenshtein_less_equal(word, mistyped, 2), entries from find_words
                where word %% mistyped and entries > 0 and length(word) between length(mistyped) - 2 and length(mistyped) + 2
                    and levenshtein_less_equal(word, mistyped, 2) <= 2
                order by 2, entries desc, 1 limit 20
            $f$', name, threshold);
    end loop;
end
$$;
-- +goose StatementEnd
-- +goose StatementBegin
create function find_nearest(mistyped text) returns table (near text, apart integer, have bigint) language sql stable as $$
    select * from find_nearest_little(case when length(mistyped) in (4, 7) then mistyped end)
    union all select * from find_nearest_much(case when length(mistyped) in (5, 6) or length(mistyped) > 7 then mistyped end)
$$;
-- +goose StatementEnd
comment on function find_nearest is 'words that differ by two letters at most, the nearest first, then those that most entries have; and how many have them';
