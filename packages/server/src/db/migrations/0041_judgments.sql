-- What a model found of cases by their rubrics: `[{ case, model, isPassed, reasons }]`.
alter table evaluations add column judgments json not null default '[]';
