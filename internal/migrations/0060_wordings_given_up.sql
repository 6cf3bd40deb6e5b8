-- +goose Up

-- An organization may go back to the installation's words: a version without any.
alter table wordings alter column subject drop not null, alter column body drop not null;
alter table wordings add constraint wordings_words_whole check ((subject is null) = (body is null));
comment on column wordings.subject is 'null, as the text: from then on it is worded as the installation does';
