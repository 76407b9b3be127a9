-- What steers the order and the speed of leasing: concurrency, fairness and rate.

-- What steers a queue that is not plain. Whoever leases from it holds the row's lock.
create table tasks.queue_steering (
  queue_id     integer primary key,
  -- The token bucket of the rate limit.
  tokens       float8,
  refill_time  timestamptz,
  -- The greatest fair rank ever leased: whoever comes back after a pause starts there, and not in the past.
  virtual_time bigint not null default 0
) with (fillfactor = 50);

-- Where each fairness key's next task ranks (start-time fair queueing, Goyal, Vin and Cheng 1996).
create table tasks.fairness (
  queue_id  integer not null,
  key       text not null,
  next_rank bigint not null,
  -- What the last batch added to next_rank.
  added     bigint not null,
  primary key (queue_id, key)
) with (fillfactor = 50);

-- How many tasks of a concurrency key hold one of its slots: those that run, and READY ones that are next.
create table tasks.concurrency (
  queue_id integer not null,
  key      text not null,
  held     integer not null,
  primary key (queue_id, key)
) with (fillfactor = 50);

-- Concurrency keys. A task with one becomes READY as blocked. Whatever takes or frees slots comes through the triggers
-- below, which keep `held` true and unblock the key's next tasks while there are free slots. So leasing never meets a
-- task that may not run, however many wait behind a full key.

-- Takes (or, if negative, frees) slots of keys, then gives free ones to each key's next tasks.
create function tasks.take_slots(queue_ids integer[], keys text[], taken integer[]) returns void language plpgsql
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

create function tasks.slots_on_insert() returns trigger language plpgsql as $$
begin
  perform tasks.take_slots(array_agg(queue_id), array_agg(concurrency_key), array_agg(0)) from (
    select distinct queue_id, concurrency_key from new_rows where concurrency_key is not null and state = 2) as changed;
  return null;
end $$;

create function tasks.slots_on_delete() returns trigger language plpgsql as $$
begin
  perform tasks.take_slots(array_agg(queue_id), array_agg(concurrency_key), array_agg(-held)) from (
    select queue_id, concurrency_key, count(*) filter (where state = 3 or not is_blocked)::integer as held from old_rows
    where concurrency_key is not null and state > 1 group by queue_id, concurrency_key) as changed;
  return null;
end $$;

create function tasks.slots_on_update() returns trigger language plpgsql as $$
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

create trigger slots_insert after insert on tasks.task referencing new table as new_rows
  for each statement execute function tasks.slots_on_insert();
create trigger slots_delete after delete on tasks.task referencing old table as old_rows
  for each statement execute function tasks.slots_on_delete();
create trigger slots_update after update on tasks.task referencing new table as new_rows old table as old_rows
  for each statement execute function tasks.slots_on_update();

-- Ranks for tasks that become READY, one for each (queue, fairness key) in the order given: each key's tasks follow one
-- another at a distance of 10^6 / weight, beginning at the key's own next rank or where the queue is now.
create function tasks.fair_ranks(queue_ids integer[], fairness_keys text[]) returns bigint[] language plpgsql as $$
declare
  ranks bigint[];
begin
  if coalesce(array_length(queue_ids, 1), 0) = 0 then return '{}'; end if;
  update tasks.queue set is_fair = true where id = any(queue_ids) and not is_fair;
  with item as (
    select queue_id, coalesce(key, '') as key, n from unnest(queue_ids, fairness_keys) with ordinality as item(queue_id, key, n)
  ), grouped as (
    select item.queue_id, item.key, count(*) as count,
      (1e6 / coalesce((queue.fairness_weights->>item.key)::float8, 1))::bigint as step, coalesce(steering.virtual_time, 0) as virtual_time
    from item join tasks.queue on queue.id = item.queue_id left join tasks.queue_steering as steering on steering.queue_id = item.queue_id
    group by item.queue_id, item.key, queue.id, steering.virtual_time
    -- One order for all, so that concurrent batches wait for one another and never in a circle.
    order by item.queue_id, item.key
  ), tagged as (
    insert into tasks.fairness as fair (queue_id, key, next_rank, added)
    select queue_id, key, virtual_time + count * step, count * step from grouped
    on conflict (queue_id, key) do update set
      next_rank = greatest(fair.next_rank, excluded.next_rank - excluded.added) + excluded.added, added = excluded.added
    returning fair.queue_id, fair.key, fair.next_rank - fair.added as first_rank
  )
  select array_agg(tagged.first_rank + grouped.step * (item.place - 1) order by item.n) into ranks
  from (select *, row_number() over (partition by queue_id, key order by n) as place from item) as item
    join tagged using (queue_id, key) join grouped using (queue_id, key);
  return ranks;
end $$;

-- Leases from a queue with limits or fairness: the same as the plain statement (engine/lease.ts), under the queue's lock.
create function tasks.lease_steered(of_queue integer, of_types text[], sessions bigint[], workers text[], leases_ms integer[], default_timeout_ms integer)
returns setof tasks.task language plpgsql as $$
declare
  queue tasks.queue;
  steering tasks.queue_steering;
  allowed integer := coalesce(array_length(sessions, 1), 0);
  running bigint;
begin
  insert into tasks.queue_steering (queue_id) values (of_queue) on conflict do nothing;
  -- Each statement below sees all that was committed before this lock was got.
  select * into steering from tasks.queue_steering where queue_id = of_queue for update;
  select * into queue from tasks.queue where id = of_queue;
  if queue.paused then return; end if;
  if queue.concurrency is not null then
    select coalesce(sum(count.running), 0) into running from (
      select c.running from tasks.queue_count as c where queue_id = of_queue
      union all select c.running from tasks.queue_count_change as c where queue_id = of_queue) as count;
    allowed := least(allowed, queue.concurrency - running);
  end if;
  if queue.rate_per_s is not null then
    steering.tokens := least(
      coalesce(queue.rate_burst, greatest(1, queue.rate_per_s)),
      coalesce(steering.tokens + greatest(0, extract(epoch from tasks.now() - steering.refill_time)) * queue.rate_per_s, 1));
    allowed := least(allowed, floor(steering.tokens));
  end if;
  if allowed <= 0 then return; end if;
  return query
    with candidate as materialized (
      select task.id from tasks.task
      where task.queue_id = of_queue and task.state = 2 and not task.is_blocked and (of_types is null or task.type = any(of_types))
        and (task.expire_time is null or task.start_time is not null or task.expire_time > tasks.now())
      order by task.rank_priority, task.fair_rank, task.schedule_time, task.id
      limit allowed
      for update skip locked
    ), chosen as materialized (
      select array_agg(candidate.id) as ids from candidate
    ), leased as (
      update tasks.task set state = 3, attempt = task.attempt + 1, revision = task.revision + 1,
        session_id = sessions[array_position(chosen.ids, task.id)], worker = workers[array_position(chosen.ids, task.id)],
        attempt_start = tasks.now(), start_time = coalesce(task.start_time, tasks.now()),
        lease_is_unary = leases_ms[array_position(chosen.ids, task.id)] is not null,
        lease_until = tasks.now() + make_interval(secs =>
          least(coalesce(task.attempt_timeout_ms, default_timeout_ms), leases_ms[array_position(chosen.ids, task.id)]) / 1000.0)
      from chosen
      where task.project = queue.project and task.id = any(chosen.ids)
      returning task.*
    ), steered as (
      update tasks.queue_steering set
        tokens = steering.tokens - (select count(*) from leased),
        refill_time = greatest(refill_time, tasks.now()),
        virtual_time = greatest(virtual_time, (select max(fair_rank) from leased))
      where queue_id = of_queue
    )
    select * from leased order by rank_priority, fair_rank, schedule_time, id;
end $$;

-- migrate:down

drop function tasks.lease_steered, tasks.fair_ranks;
drop trigger slots_insert on tasks.task;
drop trigger slots_delete on tasks.task;
drop trigger slots_update on tasks.task;
drop function tasks.slots_on_update, tasks.slots_on_delete, tasks.slots_on_insert, tasks.take_slots;
drop table tasks.concurrency, tasks.fairness, tasks.queue_steering;
