-- +goose Up

-- What can be found (package find): one row for each event, performer, venue and tour that
-- people may see, made of the guide's and the catalogue's rows. Triggers note what has
-- changed, with the change itself; whoever drains the notes makes the rows anew. So no way
-- to change a name or a price has to remember that there is a search, and a venue that is
-- renamed does not make its thousands of events anew in its manager's transaction.

create extension if not exists unaccent;
create extension if not exists pg_trgm;
create extension if not exists fuzzystrmatch;

create text search configuration guide (copy = simple);
alter text search configuration guide alter mapping for asciiword, word, numword with unaccent, simple;

-- +goose StatementBegin
create function guide_fold(t text) returns text language sql stable parallel safe as $$
    select trim(regexp_replace(lower(unaccent(normalize(t, NFKC))), '[^[:alnum:]]+', ' ', 'g'))
$$;
-- +goose StatementEnd
comment on function guide_fold is 'words without accents, capitals and punctuation: AC/DC is ac dc';
-- +goose StatementBegin
create function guide_words(t text) returns tsvector language sql stable parallel safe as $$
    select to_tsvector('guide', guide_fold(t)) || to_tsvector('guide',
        guide_fold(coalesce((select string_agg(regexp_replace(w, '[^[:alnum:]]', '', 'g'), ' ')
            from regexp_split_to_table(normalize(t, NFKC), '\s+') w where w ~ '[[:alnum:]][^[:alnum:]]+[[:alnum:]]'), '')))
$$;
-- +goose StatementEnd
comment on function guide_words is 'what a text is found by: AC/DC by ac, dc and acdc';
-- +goose StatementBegin
create function guide_date(at timestamptz, zone text) returns date language plpgsql stable parallel safe as $$
begin
    return (at at time zone zone)::date;
exception when invalid_parameter_value then -- a zone that is newer than this server
    return (at at time zone 'UTC')::date;
end
$$;
-- +goose StatementEnd
comment on function guide_date is 'the day on which it is, where it is';
-- +goose StatementBegin
create function guide_distance(lat1 double precision, lon1 double precision, lat2 double precision, lon2 double precision)
returns double precision language sql immutable parallel safe as $$
    select 2 * 6371.0088 * asin(sqrt(least(1, power(sin(radians(lat2 - lat1) / 2), 2)
        + cos(radians(lat1)) * cos(radians(lat2)) * power(sin(radians(lon2 - lon1) / 2), 2))))
$$;
-- +goose StatementEnd
comment on function guide_distance is 'great-circle distance in km (haversine)';

-- +goose StatementBegin
create function find_moment(at timestamptz) returns double precision language sql immutable parallel safe as $$
    select extract(epoch from at - timestamptz '2026-01-01 00:00:00Z') / (7 * 86400)
$$;
-- +goose StatementEnd
-- +goose StatementBegin
create function find_warmer(popularity double precision, weight double precision, at timestamptz)
returns double precision language sql immutable parallel safe as $$
    select greatest(popularity, more) + ln(1 + power(2::double precision, -least(abs(popularity - more), 60))) / ln(2::double precision)
    from (select ln(weight) / ln(2::double precision) + find_moment(at) as more) m
$$;
-- +goose StatementEnd
comment on function find_warmer is 'popularity after another so much was seen of it: what was a week ago counts half';

create table find_entries (
    kind        text             not null,
    id          uuid             not null,
    name        text             not null,
    line        text             not null,
    key         text             not null,
    words       tsvector         not null,
    popularity  double precision not null,
    category_id text             not null default '',
    state       text             not null default 'published',
    picture_id  uuid,
    shows       integer          not null,
    next_at     timestamptz,
    constraint find_entries_pkey primary key (kind, id),
    constraint find_entries_kind_known check (kind in ('event', 'performer', 'venue', 'tour')),
    constraint find_entries_shows_not_negative check (shows >= 0)
);
comment on column find_entries.line is 'what stands below the name: of an event who performs, of a venue where it is';
comment on column find_entries.key is 'the name by guide_fold';
comment on column find_entries.popularity is 'log2 of the sum of what was seen of it, each weighed by 2^(its week): it has to be changed only when there is more';
comment on column find_entries.shows is 'coming ones, which find_shows has';
create index find_entries_words on find_entries using gin (words);
create index find_entries_key on find_entries (key);
create index find_entries_popular on find_entries (popularity desc, id) where kind = 'event' and shows > 0;
create index find_entries_category on find_entries (category_id, popularity desc, id) where kind = 'event' and shows > 0;
create index find_entries_any on find_entries (popularity desc, id);

create table find_shows (
    performance_id uuid        not null,
    event_id       uuid        not null,
    starts_at      timestamptz not null,
    day            date        not null,
    time_zone      text        not null,
    venue_id       uuid        not null,
    venue          text        not null,
    city           text        not null,
    city_key       text        not null,
    country        text        not null,
    latitude       double precision,
    longitude      double precision,
    price_from     bigint,
    currency       text        not null,
    sold_out       boolean     not null default false,
    constraint find_shows_pkey primary key (performance_id)
);
comment on table find_shows is 'coming performances of published events, as a search chooses them';
comment on column find_shows.day is 'where it is';
comment on column find_shows.sold_out is 'as counted a moment ago; it decides no sale';
create index find_shows_event on find_shows (event_id, starts_at, performance_id);
create index find_shows_start on find_shows (starts_at, performance_id);
create index find_shows_day on find_shows (day);
create index find_shows_city on find_shows (city_key, starts_at);
create index find_shows_place on find_shows (latitude, longitude);
create index find_shows_venue on find_shows (venue_id, starts_at);

-- A mistyped word is corrected against these, and then looked for as any other: trigrams
-- over 200,000 names would be slow.
create table find_words (
    word    text collate "C" not null,
    entries bigint           not null,
    constraint find_words_pkey primary key (word)
);
comment on column find_words.entries is 'that have it; none: forgotten now and then';
create index find_words_trigrams on find_words using gin (word gin_trgm_ops);

-- +goose StatementBegin
create function find_nearest(mistyped text) returns table (near text, apart integer) language sql stable strict
set pg_trgm.similarity_threshold = 0.1 as $$
    select word::text, levenshtein_less_equal(word, mistyped, 2) from find_words
    where word % mistyped and entries > 0 and length(word) between length(mistyped) - 2 and length(mistyped) + 2
        and levenshtein_less_equal(word, mistyped, 2) <= 2
    order by 2, entries desc, 1 limit 20
$$;
-- +goose StatementEnd
comment on function find_nearest is
    'words that differ by two letters at most. Two swapped letters of four leave one trigram of nine, hence the low threshold';

create table find_stale (
    n      bigint  generated always as identity,
    kind   text    not null,
    id     uuid    not null,
    spread boolean not null,
    constraint find_stale_pkey primary key (n)
);
comment on table find_stale is
    'what is to be made anew. A row for each change: one row that several transactions shared would let the change of the last be lost, or let them wait';
comment on column find_stale.spread is 'and so are the events that show its name';

create table find_turn (version bigint not null);
comment on table find_turn is 'rises with each change of what can be found: what is kept of it in memory is looked up again then';
insert into find_turn values (1);

-- Arguments: a kind, the column with its id, and whether events show its name.
-- +goose StatementBegin
create function find_mark() returns trigger language plpgsql security definer set search_path from current as $$
begin
    execute format('insert into find_stale (kind, id, spread) select distinct %L, %I, %L::boolean from changed where %2$I is not null',
        tg_argv[0], tg_argv[1], tg_argv[2]);
    return null;
end
$$;
-- +goose StatementEnd

-- +goose StatementBegin
do $$
declare
    t text; op text; side text; kind text; col text; spread boolean; n integer := 0;
begin
    for t, op, side, kind, col, spread in values
        ('events', 'insert', 'new', 'event', 'id', false),
        ('events', 'update', 'new', 'event', 'id', false),
        ('events', 'update', 'old', 'tour', 'tour_id', false),
        ('events', 'delete', 'old', 'event', 'id', false),
        ('events', 'delete', 'old', 'tour', 'tour_id', false),
        ('performances', 'insert', 'new', 'event', 'event_id', false),
        ('performances', 'update', 'new', 'event', 'event_id', false),
        ('performances', 'update', 'old', 'event', 'event_id', false),
        ('performances', 'update', 'old', 'venue', 'venue_id', false),
        ('performances', 'delete', 'old', 'event', 'event_id', false),
        ('performances', 'delete', 'old', 'venue', 'venue_id', false),
        ('tiers', 'insert', 'new', 'performance', 'performance_id', false),
        ('tiers', 'update', 'new', 'performance', 'performance_id', false),
        ('tiers', 'delete', 'old', 'performance', 'performance_id', false),
        ('event_performers', 'insert', 'new', 'event', 'event_id', false),
        ('event_performers', 'delete', 'old', 'event', 'event_id', false),
        ('event_performers', 'delete', 'old', 'performer', 'performer_id', false),
        ('performers', 'update', 'new', 'performer', 'id', true),
        ('venues', 'update', 'new', 'venue', 'id', true),
        ('tours', 'update', 'new', 'tour', 'id', true)
    loop
        n := n + 1;
        execute format('create trigger %I after %s on %I referencing %s table as changed for each statement execute function find_mark(%L, %L, %L)',
            'find_' || lpad(n::text, 2, '0'), op, t, side, kind, col, spread);
    end loop;
end
$$;
-- +goose StatementEnd

insert into find_stale (kind, id, spread) select 'event', id, false from events;
