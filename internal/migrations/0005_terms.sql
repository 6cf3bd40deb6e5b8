-- +goose Up

-- The terms sheets of each sale, one row a version, only ever appended to: a fan
-- may hold any of them.
create table sale_terms (
    sale_id  text        not null references sales,
    version  integer     not null,
    hash     text        not null,
    signed   text        not null,
    made_at  timestamptz not null default now(),
    constraint sale_terms_pkey primary key (sale_id, version),
    constraint sale_terms_version_from_one check (version >= 1),
    constraint sale_terms_hash_sha256 check (hash ~ '^[0-9a-f]{64}$')
);
comment on column sale_terms.signed is 'compact JWS over the canonical JSON of the sheet';
comment on column sale_terms.hash is 'SHA-256 of that JSON, which the next version names';

-- +goose StatementBegin
create function sale_terms_refuse() returns trigger language plpgsql as $$
begin
    raise exception 'sale_terms is append-only: % refused', tg_op using errcode = 'restrict_violation';
end
$$;
-- +goose StatementEnd

create trigger sale_terms_append_only before update or delete on sale_terms
    for each row execute function sale_terms_refuse();
create trigger sale_terms_no_truncate before truncate on sale_terms
    for each statement execute function sale_terms_refuse();
