-- The task engine's state. Two halves:
--
--   hot   tasks.task            what waits or runs; small, with small partial indexes, so that speed does not depend on history
--   cold  tasks.finished_task   what has finished; partitioned by the day on which it may be forgotten, dropped whole
--
-- A task is in exactly one of the two. Finishing moves the row in one statement.

-- The only clock that decides anything. Tests replace this function to move time.
create function tasks.now() returns timestamptz language sql stable as $$ select pg_catalog.now() $$;

create table tasks.queue (
  id          integer generated always as identity primary key,
  project     text not null,
  name        text not null,
  paused      boolean not null default false,
  retention   interval not null default '14 days',
  -- Limits and shares; null where there is none.
  concurrency         integer,
  concurrency_per_key integer not null default 1,
  rate_per_s          float8,
  rate_burst          integer,
  fairness_weights    jsonb not null default '{}',
  ageing              interval,
  -- True from the first task with a fairness key on: from then on every task of the queue gets a fair rank.
  is_fair     boolean not null default false,
  -- A plain queue is leased from by the leanest statement, the others by tasks.lease_steered.
  is_plain    boolean not null generated always as (concurrency is null and rate_per_s is null and not is_fair) stored,
  create_time timestamptz not null default tasks.now(),
  unique (project, name)
);

create table tasks.task (
  project            text not null,
  id                 uuid not null,
  -- No foreign key: queues are never deleted, and the check costs a quarter of an insert.
  queue_id           integer not null,
  type               text not null,
  state              smallint not null check (state between 1 and 3),
  priority           smallint not null,
  schedule_time      timestamptz not null,
  expire_time        timestamptz,
  attempt_timeout_ms integer,
  retry_policy       jsonb,
  request_id         text,
  fairness_key       text,
  concurrency_key    text,
  unique_key         text,
  -- The order in which READY tasks are leased is (rank_priority, fair_rank, schedule_time, id).
  -- The negated priority; the least number there is once the task has aged.
  rank_priority      smallint not null,
  -- 0 in queues without fairness keys.
  fair_rank          bigint not null default 0,
  -- READY, but all slots of its concurrency key are held; not leased until it has one.
  is_blocked         boolean not null default false,
  labels             jsonb,
  traceparent        text,
  payload            bytea,
  create_time        timestamptz not null,
  start_time         timestamptz,
  -- Counts every lease ever given, redrives included; never reset, so (attempt, session_id) fences for ever.
  attempt            integer not null default 0,
  -- Attempts that failed and that were lost since the creation or the last redrive.
  failures           integer not null default 0,
  losses             integer not null default 0,
  -- Of the running or last attempt.
  session_id         bigint,
  worker             text,
  attempt_start      timestamptz,
  -- The attempt ends then at the latest: its timeout, or the expiry of a unary lease.
  lease_until        timestamptz,
  lease_is_unary     boolean not null default false,
  cancel_requested   boolean not null default false,
  progress           bytea,
  error              bytea,
  -- The ended attempts, oldest first, the last 20.
  attempts           jsonb not null default '[]',
  revision           integer not null default 1,
  primary key (project, id)
) with (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 1);

create index task_ready on tasks.task (queue_id, rank_priority, fair_rank, schedule_time, id) where state = 2 and not is_blocked;
create index task_blocked on tasks.task (queue_id, concurrency_key, rank_priority, fair_rank, schedule_time, id) where state = 2 and is_blocked;
-- Over a sum, which only those queries use that want this index: leasing must never be planned by it.
create index task_ready_time on tasks.task ((queue_id + 0), schedule_time) where state = 2;
create unique index task_unique on tasks.task (queue_id, unique_key) where unique_key is not null;
create index task_scheduled on tasks.task (schedule_time) where state = 1;
create index task_session on tasks.task (session_id) where state = 3;
create index task_lease_until on tasks.task (lease_until) where state = 3;
create index task_cancel_requested on tasks.task (session_id) where state = 3 and cancel_requested;
create index task_expire on tasks.task (expire_time) where state < 3 and expire_time is not null and start_time is null;

create table tasks.finished_task (
  project            text not null,
  id                 uuid not null,
  queue_id           integer not null,
  type               text not null,
  state              smallint not null check (state between 4 and 6),
  priority           smallint not null,
  schedule_time      timestamptz not null,
  expire_time        timestamptz,
  attempt_timeout_ms integer,
  retry_policy       jsonb,
  request_id         text,
  fairness_key       text,
  concurrency_key    text,
  unique_key         text,
  labels             jsonb,
  traceparent        text,
  payload            bytea,
  create_time        timestamptz not null,
  start_time         timestamptz,
  attempt            integer not null,
  session_id         bigint,
  worker             text,
  attempt_start      timestamptz,
  progress           bytea,
  result             bytea,
  error              bytea,
  attempts           jsonb not null,
  revision           integer not null,
  finish_time        timestamptz not null,
  -- May be forgotten from then on; decides the partition.
  retain_until       timestamptz not null,
  -- Readers that follow what finishes order by it and stop below the oldest running transaction, so that they miss nothing.
  finish_xid         xid8 not null default pg_current_xact_id()
) partition by range (retain_until);

create index finished_task_name on tasks.finished_task (project, id);
create index finished_task_redrivable on tasks.finished_task (project, id) where state in (5, 6);
create index finished_task_xid on tasks.finished_task (finish_xid, id);

-- Takes what no daily partition was there for; upkeep makes sure that it stays empty.
create table tasks.finished_task_default partition of tasks.finished_task default;

-- Makes the daily partition that a time falls into, unless it is there.
create function tasks.ensure_partition(retain_until timestamptz) returns void language plpgsql as $$
declare
  day date := (retain_until at time zone 'UTC')::date;
  partition text := 'finished_task_' || to_char(day, 'YYYYMMDD');
begin
  if to_regclass('tasks.' || partition) is not null then return; end if;
  perform pg_advisory_xact_lock(hashtext('tasks.ensure_partition'));
  if to_regclass('tasks.' || partition) is not null then return; end if;
  -- Made apart and then attached: the parent is never locked against reads or writes.
  execute format('create table tasks.%I (like tasks.finished_task including defaults including constraints)', partition);
  execute format('alter table tasks.finished_task attach partition tasks.%I for values from (%L) to (%L)', partition,
    day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
end $$;

-- Creation with a request ID happens once: the row outlives the task for as long as the ID is remembered.
create table tasks.request (
  project     text not null,
  request_id  text not null,
  task_id     uuid not null,
  fingerprint bytea not null,
  expire_time timestamptz not null,
  primary key (project, request_id)
);
create index request_expire on tasks.request (expire_time);

-- A worker's stream. Its expiry is the expiry of every lease that it holds.
create sequence tasks.session_id;
create table tasks.session (
  id          bigint primary key,
  token       text not null,
  worker      text not null,
  -- Counts the streams that served it: only the last of them may end it.
  epoch       integer not null default 1,
  expire_time timestamptz not null
) with (fillfactor = 50);

-- A wait before the next attempt: between half and all of min(max, min * multiplier^(failures - 1)).
create function tasks.backoff(policy jsonb, failures integer) returns interval language sql volatile as $$
  select make_interval(secs => (0.5 + random() / 2) * least(
    coalesce((policy->>'max_backoff_ms')::float8, 600000),
    -- The exponent is bounded so that the power cannot overflow.
    coalesce((policy->>'min_backoff_ms')::float8, 1000) * coalesce((policy->>'multiplier')::float8, 2) ^ least(failures - 1, 60)
  ) / 1000)
$$;

-- Appends an ended attempt, keeping the last 20.
create function tasks.append_attempt(attempts jsonb, attempt jsonb) returns jsonb language sql immutable as $$
  select case when jsonb_array_length(attempts) < 20 then attempts else attempts - 0 end || attempt
$$;

-- migrate:down

drop function tasks.append_attempt, tasks.backoff, tasks.ensure_partition;
drop table tasks.session, tasks.request, tasks.finished_task, tasks.task, tasks.queue;
drop sequence tasks.session_id;
drop function tasks.now;
