-- +goose Up

-- What nobody writes down by itself, hour by hour: how often a performance was opened and
-- something of it held. Cores count in memory and add it up here every few seconds.
create table insight_counts (
    performance_id uuid        not null,
    hour           timestamptz not null,
    views          bigint      not null,
    holds          bigint      not null,
    constraint insight_counts_pkey primary key (performance_id, hour),
    constraint insight_counts_performance_fkey foreign key (performance_id) references performances (id),
    constraint insight_counts_not_negative check (views >= 0 and holds >= 0)
);
comment on column insight_counts.views is 'by cores: what a cache answered is not among them';

alter table insight_counts enable row level security;
create policy tenant on insight_counts to ropeline_tenant using (exists (select from performances p where p.id = insight_counts.performance_id));
grant select on insight_counts to ropeline_tenant;
