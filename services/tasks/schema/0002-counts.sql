-- How full queues are: a total for each queue, and what changed since it was last brought up to date.
create table tasks.queue_count (
  queue_id  integer primary key,
  scheduled bigint not null default 0,
  ready     bigint not null default 0,
  running   bigint not null default 0,
  dead      bigint not null default 0
);
create table tasks.queue_count_change (
  queue_id  integer not null,
  scheduled integer not null,
  ready     integer not null,
  running   integer not null,
  dead      integer not null
);

create function tasks.count_hot() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into tasks.queue_count_change
    select queue_id, count(*) filter (where state = 1), count(*) filter (where state = 2), count(*) filter (where state = 3), 0
    from new_rows group by queue_id;
  elsif tg_op = 'DELETE' then
    insert into tasks.queue_count_change
    select queue_id, -count(*) filter (where state = 1), -count(*) filter (where state = 2), -count(*) filter (where state = 3), 0
    from old_rows group by queue_id;
  else
    insert into tasks.queue_count_change
    select queue_id, scheduled, ready, running, 0
    from (
      select queue_id, sum(sign * (state = 1)::int) as scheduled, sum(sign * (state = 2)::int) as ready, sum(sign * (state = 3)::int) as running
      from (select queue_id, state, 1 as sign from new_rows union all select queue_id, state, -1 from old_rows) as row
      group by queue_id
    ) as change
    where scheduled <> 0 or ready <> 0 or running <> 0;
  end if;
  return null;
end $$;

create function tasks.count_cold() returns trigger language plpgsql as $$
begin
  insert into tasks.queue_count_change
  select queue_id, 0, 0, 0, case tg_op when 'INSERT' then count(*) else -count(*) end
  from changed_rows where state = 6 group by queue_id;
  return null;
end $$;

create trigger count_insert after insert on tasks.task referencing new table as new_rows
  for each statement execute function tasks.count_hot();
create trigger count_delete after delete on tasks.task referencing old table as old_rows
  for each statement execute function tasks.count_hot();
create trigger count_update after update on tasks.task referencing new table as new_rows old table as old_rows
  for each statement execute function tasks.count_hot();
create trigger count_insert after insert on tasks.finished_task referencing new table as changed_rows
  for each statement execute function tasks.count_cold();
create trigger count_delete after delete on tasks.finished_task referencing old table as changed_rows
  for each statement execute function tasks.count_cold();

-- migrate:down

drop trigger count_insert on tasks.task;
drop trigger count_delete on tasks.task;
drop trigger count_update on tasks.task;
drop trigger count_insert on tasks.finished_task;
drop trigger count_delete on tasks.finished_task;
drop function tasks.count_cold, tasks.count_hot;
drop table tasks.queue_count_change, tasks.queue_count;
