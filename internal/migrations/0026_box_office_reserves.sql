-- +goose Up

-- What the box office has to sell is withheld from everybody else like any reserve.
alter table reserves drop constraint reserves_kind_known;
alter table reserves add constraint reserves_kind_known check (kind in ('blocked', 'guests', 'production', 'batch', 'boxoffice'));
