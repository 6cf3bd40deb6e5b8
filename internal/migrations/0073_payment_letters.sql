-- +goose Up

-- Who pays is written to if that does not go through, or waits for them at their bank. Their
-- address is with the attempt from its start until its order is written (buyers), or its letter;
-- where nobody writes letters the settler forgets it after an hour.
alter table attempts add column email text not null default '';
alter table attempts add column language text not null default '';
alter table attempts add column person_id uuid;
comment on column attempts.email is 'personal data: of who pays, until the order is written, which has it from then on, or the letter that says why there is none';
comment on column attempts.person_id is 'whose account pays, for as long as the address is here';
alter table attempts add constraint attempts_payer_forgotten check (email = '' and language = '' and person_id is null or state in ('started', 'voiding', 'closed'));
create index attempts_payers on attempts (updated_at) where email <> '';

-- The letter is written a minute later (package tidings): who is still at the page sees by
-- themselves what happened, and has paid by then, or not. Exchanges and sales at the counter
-- have nobody who would come back to a hold.
-- +goose StatementBegin
create function letters_of_attempts() returns trigger language plpgsql as $$
begin
    insert into river_job (kind, queue, max_attempts, args, scheduled_at) values ('cause', 'letters', 1000,
        jsonb_build_object('what', 'payment', 'performance', new.performance_id, 'order', '', 'attempt', new.id), now() + interval '1 minute');
    return null;
end
$$;

create or replace function letters_of_cancellations_moved() returns trigger language plpgsql as $$
begin
    perform letter_of('refund', f.performance_id, f.order_id, f.id)
        from fresh f join was w on w.performance_id = f.performance_id and w.id = f.id where f.state = 'refunded' and w.state <> 'refunded' and f.amount > 0;
    perform letter_of('refund-failed', f.performance_id, f.order_id, f.id)
        from fresh f join was w on w.performance_id = f.performance_id and w.id = f.id where f.state = 'failed' and w.state <> 'failed';
    return null;
end
$$;

create function letters_of_disputes() returns trigger language plpgsql as $$
begin
    insert into river_job (kind, queue, max_attempts, args) values ('cause', 'letters', 1000,
        jsonb_build_object('what', 'dispute', 'performance', new.performance_id, 'order', new.order_id, 'dispute', new.id));
    return null;
end
$$;
-- +goose StatementEnd

create trigger attempts_written after update on attempts for each row
    when (new.state in ('acting', 'voiding') and old.state in ('started', 'acting', 'recorded') and new.state <> old.state and new.from_order is null and new.tender = '')
    execute function letters_of_attempts();
create trigger disputes_written after insert on order_disputes for each row when (new.state in ('asked', 'open')) execute function letters_of_disputes();
