-- Keys for less still: settings of a queue are read once for a batch, not once or twice for each of its keys. Replaces
-- functions of 0010, with the same arguments.

comment on column tasks.concurrency.given is 'How many slots were free for the last statement that created tasks.';

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
  perform tasks.take_slots(array_agg(gone.queue_id), array_agg(gone.key), array_agg(-gone.freed))
  from unnest(queue_ids, keys, freed) as gone(queue_id, key, freed)
  where not exists (
    select from unnest(counted_ids, counted_keys) as counted(queue_id, key)
    where counted.queue_id = gone.queue_id and counted.key = gone.key);
end $$;

-- Slots for tasks that are about to be created READY, one for each (queue, concurrency key) in the order given: true
-- for those that get none and are to be blocked. Holds for the rows that the calling statement inserts.
create or replace function tasks.reserve_slots(queue_ids integer[], keys text[]) returns boolean[] language plpgsql
set enable_hashjoin = on set enable_nestloop = off set enable_mergejoin = off set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  blocked boolean[];
begin
  if coalesce(array_length(keys, 1), 0) = 0 then return '{}'; end if;
  with item as (
    select queue_id, key, n, count(*) over of_key as count, row_number() over (of_key order by n) as place
    from unnest(queue_ids, keys) with ordinality as item(queue_id, key, n)
    window of_key as (partition by queue_id, key)
  ), of_queue as materialized (
    select id, concurrency_per_key from tasks.queue where id = any(queue_ids)
  ), taken as (
    insert into tasks.concurrency as slots (queue_id, key, held, given)
      select item.queue_id, item.key, least(count, concurrency_per_key), concurrency_per_key
      from item join of_queue on of_queue.id = item.queue_id
      where place = 1
      -- One order for all, so that concurrent batches wait for one another and never in a circle.
      order by item.queue_id, item.key
      -- What would be inserted carries the limit, so that it need not be looked up for each key.
      on conflict (queue_id, key) do update set
        held = slots.held + least(excluded.held, excluded.given - slots.held), given = excluded.given - slots.held
        -- A full key is only locked, until commit.
        where slots.held < excluded.given
      returning slots.queue_id, slots.key, slots.given
  )
  select array_agg(place > coalesce(given, 0) order by n) into blocked from item left join taken using (queue_id, key);
  -- Until the end of the transaction, which is the calling statement: the trigger has nothing left to do.
  perform set_config('flowforge.slots_taken', 'on', true);
  return blocked;
end $$;

-- Ranks for tasks that become READY, one for each (queue, fairness key) in the order given: each key's tasks follow one
-- another at a distance of 10^6 / weight, beginning at the key's own next rank or where the queue is now.
create or replace function tasks.fair_ranks(queue_ids integer[], fairness_keys text[]) returns bigint[] language plpgsql
-- With statistics of few keys the planner compared all that a batch brings with one another.
set enable_hashjoin = on set enable_nestloop = off set enable_mergejoin = off set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  ranks bigint[];
begin
  if coalesce(array_length(queue_ids, 1), 0) = 0 then return '{}'; end if;
  update tasks.queue set is_fair = true where id = any(queue_ids) and not is_fair;
  with item as (
    select queue_id, key, n, count(*) over of_key as count, row_number() over (of_key order by n) as place
    from (select queue_id, coalesce(key, '') as key, n from unnest(queue_ids, fairness_keys) with ordinality as item(queue_id, key, n)) as item
    window of_key as (partition by queue_id, key)
  ), of_queue as materialized (
    select id, fairness_weights, coalesce((select steering.virtual_time from tasks.queue_steering as steering where steering.queue_id = queue.id), 0) as virtual_time
    from tasks.queue where id = any(queue_ids)
  ), tagged as (
    insert into tasks.fairness as fair (queue_id, key, next_rank, added)
    select item.queue_id, item.key, virtual_time + count * step, count * step
    from item join of_queue on of_queue.id = item.queue_id
      cross join lateral (select (1e6 / coalesce((fairness_weights->>item.key)::float8, 1))::bigint as step) as weighed
    where place = 1
    -- One order for all, so that concurrent batches wait for one another and never in a circle.
    order by item.queue_id, item.key
    on conflict (queue_id, key) do update set
      next_rank = greatest(fair.next_rank, excluded.next_rank - excluded.added) + excluded.added, added = excluded.added
    returning fair.queue_id, fair.key, fair.next_rank - fair.added as first_rank, fair.added
  )
  select array_agg(first_rank + added / count * (place - 1) order by n) into ranks from item join tagged using (queue_id, key);
  return ranks;
end $$;

-- migrate:down

comment on column tasks.concurrency.given is null;

create or replace function tasks.fair_ranks(queue_ids integer[], fairness_keys text[]) returns bigint[] language plpgsql
-- With statistics of few keys the planner compared all that a batch brings with one another.
set enable_hashjoin = on set enable_nestloop = off set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  ranks bigint[];
begin
  if coalesce(array_length(queue_ids, 1), 0) = 0 then return '{}'; end if;
  update tasks.queue set is_fair = true where id = any(queue_ids) and not is_fair;
  with item as (
    select queue_id, key, n, count(*) over of_key as count, row_number() over (of_key order by n) as place
    from (select queue_id, coalesce(key, '') as key, n from unnest(queue_ids, fairness_keys) with ordinality as item(queue_id, key, n)) as item
    window of_key as (partition by queue_id, key)
  ), tagged as (
    insert into tasks.fairness as fair (queue_id, key, next_rank, added)
    select item.queue_id, item.key, virtual_time + count * step, count * step
    from item
      cross join lateral (
        select (1e6 / coalesce((fairness_weights->>item.key)::float8, 1))::bigint as step from tasks.queue where id = item.queue_id offset 0) as queue
      cross join lateral (
        select coalesce((select steering.virtual_time from tasks.queue_steering as steering where steering.queue_id = item.queue_id), 0) as virtual_time) as steering
    where place = 1
    -- One order for all, so that concurrent batches wait for one another and never in a circle.
    order by item.queue_id, item.key
    on conflict (queue_id, key) do update set
      next_rank = greatest(fair.next_rank, excluded.next_rank - excluded.added) + excluded.added, added = excluded.added
    returning fair.queue_id, fair.key, fair.next_rank - fair.added as first_rank, fair.added
  )
  select array_agg(first_rank + added / count * (place - 1) order by n) into ranks from item join tagged using (queue_id, key);
  return ranks;
end $$;

create or replace function tasks.reserve_slots(queue_ids integer[], keys text[]) returns boolean[] language plpgsql
set enable_hashjoin = on set enable_nestloop = off set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  blocked boolean[];
begin
  if coalesce(array_length(keys, 1), 0) = 0 then return '{}'; end if;
  with asked as materialized (
    select item.queue_id, item.key, array_agg(n order by n) as places
    from unnest(queue_ids, keys) with ordinality as item(queue_id, key, n) group by item.queue_id, item.key
  ), taken as (
    insert into tasks.concurrency as slots (queue_id, key, held, given)
      select asked.queue_id, asked.key, least(cardinality(places), concurrency_per_key), least(cardinality(places), concurrency_per_key)
      from asked
        -- Found by its id, whatever the planner thinks of the table's size: OFFSET keeps it from joining them.
        cross join lateral (select concurrency_per_key from tasks.queue where id = asked.queue_id offset 0) as queue
      -- One order for all, so that concurrent batches wait for one another and never in a circle.
      order by asked.queue_id, asked.key
      on conflict (queue_id, key) do update set (held, given) = (
          select slots.held + free.count, free.count
          from (select least(excluded.given, concurrency_per_key - slots.held) as count from tasks.queue where id = slots.queue_id) as free)
        -- A full key is only locked, until commit.
        where slots.held < (select concurrency_per_key from tasks.queue where id = slots.queue_id)
      returning slots.queue_id, slots.key, slots.given
  )
  select array_agg(place > coalesce(given, 0) order by n) into blocked
  from asked left join taken using (queue_id, key) cross join unnest(places) with ordinality as item(n, place);
  -- Until the end of the transaction, which is the calling statement: the trigger has nothing left to do.
  perform set_config('flowforge.slots_taken', 'on', true);
  return blocked;
end $$;

create or replace function tasks.free_slots(queue_ids integer[], keys text[], freed integer[]) returns void language plpgsql
set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  full_ids integer[];
  full_keys text[];
  full_freed integer[];
begin
  if coalesce(array_length(keys, 1), 0) = 0 then return; end if;
  -- Locks the keys until commit, in one order for all: concurrent statements follow one another, each with a fresh view.
  -- Nobody waits for a key that has a slot to spare: what is freed there is counted, and no more to do. Other keys are only
  -- locked. Whom a full key passed over, because somebody held him at that moment, is found by the upkeep.
  with counted as (
    insert into tasks.concurrency as slots (queue_id, key, held)
      select gone.queue_id, gone.key, -gone.freed from unnest(queue_ids, keys, freed) as gone(queue_id, key, freed) order by 1, 2
      on conflict (queue_id, key) do update set held = slots.held + excluded.held
        where slots.held < (select concurrency_per_key from tasks.queue where id = slots.queue_id)
      returning slots.queue_id, slots.key
  )
  select array_agg(rest.queue_id), array_agg(rest.key), array_agg(-rest.freed) into full_ids, full_keys, full_freed from (
    select part.queue_id, part.key, sum(part.freed)::integer as freed
    from (
      select gone.*, false as is_counted from unnest(queue_ids, keys, freed) as gone(queue_id, key, freed)
      union all select counted.queue_id, counted.key, 0, true from counted) as part
    group by part.queue_id, part.key having not bool_or(is_counted)) as rest;
  perform tasks.take_slots(full_ids, full_keys, full_freed);
end $$;
