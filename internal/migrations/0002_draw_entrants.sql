-- +goose Up

-- Who took part in a draw, as one packed list: Redis may lose it, and then the
-- draw could not be published any more. A sale has a second row only if Redis
-- lost entrants between the root and the order.
create table draw_entrants (
    sale_id  text        not null,
    root     bytea       not null,
    count    integer     not null,
    packed   bytea       not null,
    kept_at  timestamptz not null default now(),
    -- No reference to sales: what cannot be entered would be lost.
    constraint draw_entrants_pkey primary key (sale_id, root),
    constraint draw_entrants_root_sha256 check (length(root) = 32),
    constraint draw_entrants_count_not_negative check (count >= 0)
);
comment on column draw_entrants.packed is 'gzip of the place ids, sorted, a line feed behind each';
