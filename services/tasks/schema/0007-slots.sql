-- Concurrency keys at a third of the cost: slots are taken by whoever creates, and a slot that goes from one task to the
-- next leaves the key's count as it is. The functions replace those of 0003, with the same arguments.

-- Locks keys until commit, in one order for all: concurrent statements follow one another, each with a fresh view.
create function tasks.lock_keys(queue_ids integer[], keys text[]) returns void language sql as $$
  insert into tasks.concurrency as slots (queue_id, key, held)
    select distinct queue_id, key, 0 from unnest(queue_ids, keys) as change(queue_id, key) order by queue_id, key
    -- Nothing is written, but conflicting rows are locked all the same.
    on conflict (queue_id, key) do update set held = slots.held where false
$$;

-- Takes (or, if negative, frees) slots of keys, then gives free ones to each key's next tasks.
create or replace function tasks.take_slots(queue_ids integer[], keys text[], taken integer[]) returns void language plpgsql
-- How many tasks are next is unknown to the planner, which would rather read the whole table.
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
declare
  before text := coalesce(current_setting('flowforge.slots_taken', true), '');
begin
  if coalesce(array_length(keys, 1), 0) = 0 then return; end if;
  -- The triggers need not look at what is unblocked here.
  perform set_config('flowforge.slots_taken', 'on', true);
  perform tasks.lock_keys(queue_ids, keys);
  with changed as materialized (
    select * from unnest(queue_ids, keys, taken) as changed(queue_id, key, change)
  ), next as materialized (
    select changed.queue_id, changed.key, task.project, task.id
    from changed
      -- Each found by its whole key, whatever the planner thinks of the tables' sizes: OFFSET keeps it from joining them.
      cross join lateral (select concurrency_per_key from tasks.queue where id = changed.queue_id offset 0) as queue
      cross join lateral (
        select held from tasks.concurrency as slots where slots.queue_id = changed.queue_id and slots.key = changed.key offset 0) as slots
      cross join lateral (
        select project, id from tasks.task
        where task.queue_id = changed.queue_id and concurrency_key = changed.key and state = 2 and is_blocked
        order by rank_priority, fair_rank, schedule_time, id limit greatest(0, concurrency_per_key - held - change)
        for update skip locked) as task
  ), unblocked as (
    update tasks.task set is_blocked = false from next where task.project = next.project and task.id = next.id
  )
  update tasks.concurrency as slots set held = held + total.change
  from (
    select queue_id, key, sum(change)::integer as change
    from (select queue_id, key, change from changed union all select queue_id, key, 1 from next) as part
    group by queue_id, key having sum(change) <> 0) as total
  where slots.queue_id = total.queue_id and slots.key = total.key;
  perform set_config('flowforge.slots_taken', before, true);
end $$;

-- Slots for tasks that are about to be created READY, one for each (queue, concurrency key) in the order given: true
-- for those that get none and are to be blocked. Holds for the rows that the calling statement inserts.
create function tasks.reserve_slots(queue_ids integer[], keys text[]) returns boolean[] language plpgsql
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
declare
  blocked boolean[];
begin
  if coalesce(array_length(keys, 1), 0) = 0 then return '{}'; end if;
  perform tasks.lock_keys(queue_ids, keys);
  with asked as (
    select queue_id, key, array_agg(n order by n) as places
    from unnest(queue_ids, keys) with ordinality as item(queue_id, key, n) group by queue_id, key
  ), given as materialized (
    select asked.*, least(cardinality(places), greatest(0, concurrency_per_key - held)) as count
    from asked
      cross join lateral (select concurrency_per_key from tasks.queue where id = asked.queue_id offset 0) as queue
      cross join lateral (
        select held from tasks.concurrency as slots where slots.queue_id = asked.queue_id and slots.key = asked.key offset 0) as slots
  ), taken as (
    update tasks.concurrency as slots set held = held + given.count from given
    where given.count > 0 and slots.queue_id = given.queue_id and slots.key = given.key
  )
  select array_agg(place > given.count order by n) into blocked
  from given cross join unnest(places) with ordinality as item(n, place);
  -- Until the end of the transaction, which is the calling statement: the trigger has nothing left to do.
  perform set_config('flowforge.slots_taken', 'on', true);
  return blocked;
end $$;

create or replace function tasks.slots_on_insert() returns trigger language plpgsql as $$
begin
  if current_setting('flowforge.slots_taken', true) = 'on' then return null; end if;
  perform tasks.take_slots(array_agg(queue_id), array_agg(concurrency_key), array_agg(0)) from (
    select distinct queue_id, concurrency_key from new_rows where concurrency_key is not null and state = 2) as changed;
  return null;
end $$;

create or replace function tasks.slots_on_delete() returns trigger language plpgsql as $$
begin
  if current_setting('flowforge.slots_taken', true) = 'on' then return null; end if;
  perform tasks.take_slots(array_agg(queue_id), array_agg(concurrency_key), array_agg(-held)) from (
    select queue_id, concurrency_key, count(*) filter (where state = 3 or not is_blocked)::integer as held from old_rows
    where concurrency_key is not null and state > 1 group by queue_id, concurrency_key) as changed;
  return null;
end $$;

create or replace function tasks.slots_on_update() returns trigger language plpgsql as $$
begin
  if current_setting('flowforge.slots_taken', true) = 'on' then return null; end if;
  perform tasks.take_slots(array_agg(queue_id), array_agg(concurrency_key), array_agg(taken)) from (
    select queue_id, concurrency_key, sum(sign * (state = 3 or state = 2 and not is_blocked)::integer)::integer as taken,
      bool_or(sign = 1 and state = 2 and is_blocked) as is_waiting
    from (
      select queue_id, concurrency_key, state, is_blocked, 1 as sign from new_rows where concurrency_key is not null
      union all
      select queue_id, concurrency_key, state, is_blocked, -1 from old_rows where concurrency_key is not null
    ) as row
    group by queue_id, concurrency_key) as changed
  -- Whoever frees a slot skips tasks that are locked: so who had one locked and left it waiting looks again.
  where taken <> 0 or is_waiting;
  return null;
end $$;

-- migrate:down

drop function tasks.reserve_slots;
create or replace function tasks.take_slots(queue_ids integer[], keys text[], taken integer[]) returns void language plpgsql
-- How many tasks are next is unknown to the planner, which would rather read the whole table.
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
begin
  if coalesce(array_length(keys, 1), 0) = 0 then return; end if;
  -- Locks the keys until commit, in one order for all: concurrent statements follow one another, each with a fresh view.
  insert into tasks.concurrency as slots (queue_id, key, held)
    select * from unnest(queue_ids, keys, taken) as change(queue_id, key, taken) order by queue_id, key
    on conflict (queue_id, key) do update set held = slots.held + excluded.held;
  with next as materialized (
    select task.project, task.id
    from unnest(queue_ids, keys) as changed(queue_id, key)
      join tasks.queue on queue.id = changed.queue_id
      join tasks.concurrency as slots on slots.queue_id = changed.queue_id and slots.key = changed.key
      cross join lateral (
        select project, id from tasks.task
        where task.queue_id = changed.queue_id and concurrency_key = changed.key and state = 2 and is_blocked
        order by rank_priority, fair_rank, schedule_time, id limit greatest(0, concurrency_per_key - held)
        for update skip locked) as task
  )
  update tasks.task set is_blocked = false from next where task.project = next.project and task.id = next.id;
end $$;

drop function tasks.lock_keys;
create or replace function tasks.slots_on_insert() returns trigger language plpgsql as $$
begin
  perform tasks.take_slots(array_agg(queue_id), array_agg(concurrency_key), array_agg(0)) from (
    select distinct queue_id, concurrency_key from new_rows where concurrency_key is not null and state = 2) as changed;
  return null;
end $$;

create or replace function tasks.slots_on_delete() returns trigger language plpgsql as $$
begin
  perform tasks.take_slots(array_agg(queue_id), array_agg(concurrency_key), array_agg(-held)) from (
    select queue_id, concurrency_key, count(*) filter (where state = 3 or not is_blocked)::integer as held from old_rows
    where concurrency_key is not null and state > 1 group by queue_id, concurrency_key) as changed;
  return null;
end $$;

create or replace function tasks.slots_on_update() returns trigger language plpgsql as $$
begin
  perform tasks.take_slots(array_agg(queue_id), array_agg(concurrency_key), array_agg(taken)) from (
    select queue_id, concurrency_key, sum(sign * (state = 3 or state = 2 and not is_blocked)::integer)::integer as taken,
      bool_or(sign = 1 and state = 2 and is_blocked) as is_waiting
    from (
      select queue_id, concurrency_key, state, is_blocked, 1 as sign from new_rows where concurrency_key is not null
      union all
      select queue_id, concurrency_key, state, is_blocked, -1 from old_rows where concurrency_key is not null
    ) as row
    group by queue_id, concurrency_key) as changed
  -- Whoever frees a slot skips tasks that are locked: so who had one locked and left it waiting looks again.
  where taken <> 0 or is_waiting;
  return null;
end $$;
