-- +goose Up

-- How many days before who holds tickets is reminded: see package tidings.
create table reminder_settings (
    person_id uuid     not null,
    days      smallint not null,
    constraint reminder_settings_pkey primary key (person_id),
    constraint reminder_settings_person_fkey foreign key (person_id) references people (id) on delete cascade,
    constraint reminder_settings_days_some check (days between 0 and 14)
);
comment on column reminder_settings.days is '0: not at all; without a row: 2';

alter table buyers
    add column reminder_days smallint,
    add constraint buyers_reminder_days_some check (reminder_days between 0 and 14);
comment on column buyers.reminder_days is 'of this order, whatever else its buyer has said; null: as the account says, or 2';

-- Ten in the morning, so many days before, where it is: whatever clocks do in between.
-- +goose StatementBegin
create function guide_zone(zone text) returns text language plpgsql stable parallel safe as $$
begin
    perform now() at time zone zone;
    return zone;
exception when invalid_parameter_value then -- a zone that is newer than this server
    return 'UTC';
end
$$;
create function reminder_at(starts timestamptz, zone text, days integer) returns timestamptz language sql stable parallel safe as $$
    select (guide_date(starts, zone) - days + time '10:00') at time zone guide_zone(zone)
$$;
-- +goose StatementEnd

create table reminders (
    performance_id uuid not null,
    order_id       uuid not null,
    day            date not null,
    constraint reminders_pkey primary key (performance_id, order_id, day)
);
comment on table reminders is 'of which orders a reminder was written, or one of the same address';
comment on column reminders.day is 'of the performance, where it is: one that is moved is reminded of again';

create table reminder_rounds (
    performance_id uuid     not null,
    day            date     not null,
    days           smallint not null,
    constraint reminder_rounds_pkey primary key (performance_id, day, days)
);
comment on table reminder_rounds is 'of which performances all are reminded who are so many days before: they are not looked at again';
