-- Leases from a queue with limits or fairness: the same as the plain statement (engine/lease.ts), under the queue's lock.
-- `slots` has for each free place the number of its taker. Instances of the version before call the function of 0003.
create function tasks.lease_steered(
  of_queue integer, of_types text[], sessions bigint[], workers text[], leases_ms integer[], slots integer[], default_timeout_ms integer)
returns setof tasks.task language plpgsql as $$
declare
  queue tasks.queue;
  steering tasks.queue_steering;
  allowed integer := coalesce(array_length(slots, 1), 0);
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
      select array_agg(candidate.id order by candidate.id) as ids from candidate
    ), leased as (
      update tasks.task set state = 3, attempt = task.attempt + 1, revision = task.revision + 1,
        session_id = sessions[slots[width_bucket(task.id, chosen.ids)]], worker = workers[slots[width_bucket(task.id, chosen.ids)]],
        attempt_start = tasks.now(), start_time = coalesce(task.start_time, tasks.now()),
        lease_is_unary = leases_ms[slots[width_bucket(task.id, chosen.ids)]] is not null,
        lease_until = tasks.now() + interval '1 ms' * least(
          coalesce(task.attempt_timeout_ms, default_timeout_ms), leases_ms[slots[width_bucket(task.id, chosen.ids)]])
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

drop function tasks.lease_steered(integer, text[], bigint[], text[], integer[], integer[], integer);
