-- Makes the daily partition that a time falls into, unless it is there. Looks again under the lock with a query of its
-- own: to_regclass() remembers for the rest of the statement that there was none, so that of two instances that
-- started at the same time one failed.
create or replace function tasks.ensure_partition(retain_until timestamptz) returns void language plpgsql as $$
declare
  day date := (retain_until at time zone 'UTC')::date;
  partition text := 'finished_task_' || to_char(day, 'YYYYMMDD');
begin
  if to_regclass('tasks.' || partition) is not null then return; end if;
  perform pg_advisory_xact_lock(hashtext('tasks.ensure_partition'));
  if exists (select from pg_catalog.pg_class where relnamespace = 'tasks'::regnamespace and relname = partition) then return; end if;
  -- Made apart and then attached: the parent is never locked against reads or writes.
  execute format('create table tasks.%I (like tasks.finished_task including defaults including constraints)', partition);
  execute format('alter table tasks.finished_task attach partition tasks.%I for values from (%L) to (%L)', partition,
    day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
end $$;

-- migrate:down

create or replace function tasks.ensure_partition(retain_until timestamptz) returns void language plpgsql as $$
declare
  day date := (retain_until at time zone 'UTC')::date;
  partition text := 'finished_task_' || to_char(day, 'YYYYMMDD');
begin
  if to_regclass('tasks.' || partition) is not null then return; end if;
  perform pg_advisory_xact_lock(hashtext('tasks.ensure_partition'));
  if to_regclass('tasks.' || partition) is not null then return; end if;
  execute format('create table tasks.%I (like tasks.finished_task including defaults including constraints)', partition);
  execute format('alter table tasks.finished_task attach partition tasks.%I for values from (%L) to (%L)', partition,
    day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
end $$;
