-- Slots that go on to tasks that wait for them, for less: keys that are locked already are not locked again, and a task that
-- was found and locked is not looked up a second time.

-- Counts what is taken (or, if negative, freed) of keys that are locked, and gives free slots to each key's next tasks.
create function tasks.give_slots(queue_ids integer[], keys text[], taken integer[]) returns void language plpgsql
-- How many tasks are next is unknown to the planner, which would rather read the whole table.
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  before text := coalesce(current_setting('flowforge.slots_taken', true), '');
begin
  -- The triggers need not look at what is unblocked here.
  perform set_config('flowforge.slots_taken', 'on', true);
  with changed as materialized (
    select * from unnest(queue_ids, keys, taken) as changed(queue_id, key, change)
  ), next as materialized (
    select changed.queue_id, changed.key, task.place
    from changed
      -- Each found by its whole key, whatever the planner thinks of the tables' sizes: OFFSET keeps it from joining them.
      cross join lateral (select concurrency_per_key from tasks.queue where id = changed.queue_id offset 0) as queue
      cross join lateral (
        select held from tasks.concurrency as slots where slots.queue_id = changed.queue_id and slots.key = changed.key offset 0) as slots
      cross join lateral (
        select ctid as place from tasks.task
        where task.queue_id = changed.queue_id and concurrency_key = changed.key and state = 2 and is_blocked
        order by rank_priority, fair_rank, schedule_time, id limit greatest(0, concurrency_per_key - held - change)
        for update skip locked) as task
  ), unblocked as (
    -- Locked rows stay where they are.
    update tasks.task set is_blocked = false from next where task.ctid = next.place
  )
  update tasks.concurrency as slots set held = held + total.change
  from (
    select queue_id, key, sum(change)::integer as change
    from (select queue_id, key, change from changed union all select queue_id, key, 1 from next) as part
    group by queue_id, key having sum(change) <> 0) as total
  where slots.queue_id = total.queue_id and slots.key = total.key;
  perform set_config('flowforge.slots_taken', before, true);
end $$;

-- Takes (or, if negative, frees) slots of keys, then gives free ones to each key's next tasks.
create or replace function tasks.take_slots(queue_ids integer[], keys text[], taken integer[]) returns void language plpgsql as $$
begin
  if coalesce(array_length(keys, 1), 0) = 0 then return; end if;
  perform tasks.lock_keys(queue_ids, keys);
  perform tasks.give_slots(queue_ids, keys, taken);
end $$;

-- Frees slots of keys whose tasks have gone.
create or replace function tasks.free_slots(queue_ids integer[], keys text[], freed integer[]) returns void language plpgsql
set enable_hashjoin = on set enable_nestloop = off set enable_mergejoin = off set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  counted_ids integer[];
  counted_keys text[];
begin
  if coalesce(array_length(keys, 1), 0) = 0 then return; end if;
  -- Locks the keys until commit, in one order for all: concurrent statements follow one another, each with a fresh view.
  -- Nobody waits for a key that has a slot to spare: what is freed there is counted, and no more to do. Other keys are only
  -- locked. Whom a full key passed over, because somebody held him at that moment, is found by the upkeep.
  with of_queue as materialized (
    select id, concurrency_per_key from tasks.queue where id = any(queue_ids)
  ), counted as (
    insert into tasks.concurrency as slots (queue_id, key, held, given)
      select gone.queue_id, gone.key, -gone.freed, concurrency_per_key
      from unnest(queue_ids, keys, freed) as gone(queue_id, key, freed) join of_queue on of_queue.id = gone.queue_id
      order by gone.queue_id, gone.key
      -- What would be inserted carries the limit, so that it need not be looked up for each key.
      on conflict (queue_id, key) do update set held = slots.held + excluded.held where slots.held < excluded.given
      returning slots.queue_id, slots.key
  )
  select array_agg(queue_id), array_agg(key) into counted_ids, counted_keys from counted;
  if cardinality(counted_keys) = cardinality(keys) then return; end if;
  perform tasks.give_slots(array_agg(gone.queue_id), array_agg(gone.key), array_agg(-gone.freed))
  from unnest(queue_ids, keys, freed) as gone(queue_id, key, freed)
  where not exists (
    select from unnest(counted_ids, counted_keys) as counted(queue_id, key)
    where counted.queue_id = gone.queue_id and counted.key = gone.key);
end $$;

-- Slots for tasks that are about to be created, one for each (queue, concurrency key) in the order given: true for those
-- that get none and are to be blocked, null for those that ask for none, having no key or a time in the future. In each key
-- the greater priorities come first. Holds for the rows that the calling statement inserts. Instances of the version before
-- call the function of 0011.
create function tasks.reserve_slots(queue_ids integer[], keys text[], priorities smallint[], schedule_times timestamptz[]) returns boolean[] language plpgsql
set enable_hashjoin = on set enable_nestloop = off set enable_mergejoin = off set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  blocked boolean[];
begin
  with item as (
    select queue_id, key, n, count(*) over (partition by queue_id, key) as count,
      row_number() over (partition by queue_id, key order by priority desc, n) as place
    from (
      select queue_id, case when (schedule_time > tasks.now()) is not true then key end as key, priority, n
      from unnest(queue_ids, keys, priorities, schedule_times) with ordinality as item(queue_id, key, priority, schedule_time, n)) as item
  ), of_queue as materialized (
    select id, concurrency_per_key from tasks.queue where id = any(queue_ids)
  ), taken as (
    insert into tasks.concurrency as slots (queue_id, key, held, given)
      select item.queue_id, item.key, least(count, concurrency_per_key), concurrency_per_key
      from item join of_queue on of_queue.id = item.queue_id
      where place = 1 and key is not null
      -- One order for all, so that concurrent batches wait for one another and never in a circle.
      order by item.queue_id, item.key
      -- What would be inserted carries the limit, so that it need not be looked up for each key.
      on conflict (queue_id, key) do update set
        held = slots.held + least(excluded.held, excluded.given - slots.held), given = excluded.given - slots.held
        -- A full key is only locked, until commit.
        where slots.held < excluded.given
      returning slots.queue_id, slots.key, slots.given
  )
  select array_agg(case when key is not null then place > coalesce(given, 0) end order by n) into blocked from item left join taken using (queue_id, key);
  -- Until the end of the transaction, which is the calling statement: the trigger has nothing left to do.
  perform set_config('flowforge.slots_taken', 'on', true);
  return blocked;
end $$;

-- migrate:down

create or replace function tasks.free_slots(queue_ids integer[], keys text[], freed integer[]) returns void language plpgsql
set enable_hashjoin = on set enable_nestloop = off set enable_mergejoin = off set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  counted_ids integer[];
  counted_keys text[];
begin
  if coalesce(array_length(keys, 1), 0) = 0 then return; end if;
  -- Locks the keys until commit, in one order for all: concurrent statements follow one another, each with a fresh view.
  -- Nobody waits for a key that has a slot to spare: what is freed there is counted, and no more to do. Other keys are only
  -- locked. Whom a full key passed over, because somebody held him at that moment, is found by the upkeep.
  with of_queue as materialized (
    select id, concurrency_per_key from tasks.queue where id = any(queue_ids)
  ), counted as (
    insert into tasks.concurrency as slots (queue_id, key, held, given)
      select gone.queue_id, gone.key, -gone.freed, concurrency_per_key
      from unnest(queue_ids, keys, freed) as gone(queue_id, key, freed) join of_queue on of_queue.id = gone.queue_id
      order by gone.queue_id, gone.key
      -- What would be inserted carries the limit, so that it need not be looked up for each key.
      on conflict (queue_id, key) do update set held = slots.held + excluded.held where slots.held < excluded.given
      returning slots.queue_id, slots.key
  )
  select array_agg(queue_id), array_agg(key) into counted_ids, counted_keys from counted;
  if cardinality(counted_keys) = cardinality(keys) then return; end if;
  perform tasks.take_slots(array_agg(gone.queue_id), array_agg(gone.key), array_agg(-gone.freed))
  from unnest(queue_ids, keys, freed) as gone(queue_id, key, freed)
  where not exists (
    select from unnest(counted_ids, counted_keys) as counted(queue_id, key)
    where counted.queue_id = gone.queue_id and counted.key = gone.key);
end $$;

create or replace function tasks.take_slots(queue_ids integer[], keys text[], taken integer[]) returns void language plpgsql
-- How many tasks are next is unknown to the planner, which would rather read the whole table.
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
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

drop function tasks.give_slots, tasks.reserve_slots(integer[], text[], smallint[], timestamptz[]);
