-- +goose Up

-- Jobs are asked for by their state and queue alone. River brings these two for lists that are
-- searched by what jobs say, which nobody here asks for, and each job pays for both three
-- times: as it is written, taken and done.
drop index river_job_args_index;
drop index river_job_metadata_index;

-- A letter is changed twice, by whoever takes it and by what came of that: with room beside it
-- the first of the two leaves the indexes alone.
alter table mails set (fillfactor = 50);
