-- tasks.enqueue: creates a task in an application's own transaction, so that both happen or neither. It checks and
-- stores as CreateTask does; docs/enqueue.md is its manual.

-- A google.protobuf.Struct on the wire, from JSON:
--
--   Struct    { map<string, Value> fields = 1 }        repeated Entry { key = 1, value = 2 }
--   Value     { null = 1, number = 2, string = 3, bool = 4, Struct = 5, ListValue = 6 }
--   ListValue { repeated Value values = 1 }

create function tasks.encode_varint(value integer) returns bytea language plpgsql immutable strict parallel safe as $$
declare
  encoded bytea := '';
begin
  while value > 127 loop
    encoded := encoded || set_byte('\x00', 0, value & 127 | 128);
    value := value >> 7;
  end loop;
  return encoded || set_byte('\x00', 0, value);
end $$;

-- A field with a length: its tag, how many bytes follow, the bytes.
create function tasks.encode_delimited(tag bytea, content bytea) returns bytea language sql immutable strict parallel safe as $$
  select tag || tasks.encode_varint(length(content)) || content
$$;

-- A double, least significant byte first.
create function tasks.encode_double(value float8) returns bytea language sql immutable strict parallel safe as $$
  select substr(sent, 8, 1) || substr(sent, 7, 1) || substr(sent, 6, 1) || substr(sent, 5, 1)
    || substr(sent, 4, 1) || substr(sent, 3, 1) || substr(sent, 2, 1) || substr(sent, 1, 1)
  from float8send(value) as sent
$$;

-- The depth counts as rpc/check-struct.ts does: what is stored here could have come through the API.
create function tasks.encode_value(value jsonb, depth integer) returns bytea language plpgsql immutable strict parallel safe as $$
begin
  if depth > 64 then raise exception 'payload: is nested deeper than 64' using errcode = 'invalid_parameter_value'; end if;
  case jsonb_typeof(value)
    when 'null' then return '\x0800';
    when 'boolean' then return case when value = 'true' then '\x2001'::bytea else '\x2000' end;
    when 'number' then return '\x11' || tasks.encode_double((value #>> '{}')::float8);
    when 'string' then return tasks.encode_delimited('\x1a', convert_to(value #>> '{}', 'UTF8'));
    when 'object' then return tasks.encode_delimited('\x2a', tasks.encode_struct(value, depth + 1));
    when 'array' then return tasks.encode_delimited('\x32', coalesce((
      select string_agg(tasks.encode_delimited('\x0a', tasks.encode_value(element, depth + 1)), '' order by n)
      from jsonb_array_elements(value) with ordinality as list(element, n)), ''));
  end case;
exception
  when numeric_value_out_of_range then
    raise exception 'payload: has a number that no double can hold' using errcode = 'invalid_parameter_value';
end $$;

create function tasks.encode_struct(value jsonb, depth integer default 0) returns bytea language plpgsql immutable strict parallel safe as $$
begin
  if depth > 64 then raise exception 'payload: is nested deeper than 64' using errcode = 'invalid_parameter_value'; end if;
  return coalesce((
    select string_agg(tasks.encode_delimited('\x0a',
      -- An empty key is the default, which protobuf leaves out.
      case key when '' then '' else tasks.encode_delimited('\x0a', convert_to(key, 'UTF8')) end
        || tasks.encode_delimited('\x12', tasks.encode_value(field, depth + 1))), '' order by n)
    from jsonb_each(value) with ordinality as fields(key, field, n)), '');
end $$;

-- A UUID of RFC 9562, version 7: milliseconds since 1970, then random bits.
create function tasks.new_uuid() returns uuid language sql volatile as $$
  -- A random UUID has the right variant already; its version, 4, becomes 7.
  select encode(set_byte(overlay(random placing substr(int8send(ms), 3) from 1 for 6), 6, 112 | (get_byte(random, 6) & 15)), 'hex')::uuid
  from (select uuid_send(gen_random_uuid()) as random, floor(extract(epoch from clock_timestamp()) * 1000)::bigint as ms) as made
$$;

-- Refuses an argument unless it is right; what is null was not given.
create function tasks.check_argument(is_right boolean, name text, description text) returns void language plpgsql as $$
begin
  if not is_right then raise exception '%: %', name, description using errcode = 'invalid_parameter_value'; end if;
end $$;

-- Null for empty text, as the API reads it.
create function tasks.check_text(value text, name text, length_max integer) returns text language plpgsql as $$
begin
  perform tasks.check_argument(length(value) <= length_max, name, format('is longer than %s characters', length_max));
  perform tasks.check_argument(value !~ '[\u0001-\u001f\u007f]', name, 'has control characters');
  return nullif(value, '');
end $$;

create function tasks.check_time(value timestamptz, name text) returns void language plpgsql as $$
begin
  perform tasks.check_argument(value >= timestamptz '1970-01-01 00:00:00Z' and value < timestamptz '10000-01-01 00:00:00Z',
    name, 'must be between the years 1970 and 9999');
end $$;

-- In milliseconds.
create function tasks.check_duration(value interval, name text, shortest interval, longest interval) returns integer language plpgsql as $$
begin
  perform tasks.check_argument(value between shortest and longest, name,
    format('must be between %s s and %s s', extract(epoch from shortest)::integer, extract(epoch from longest)::integer));
  return round(extract(epoch from value) * 1000);
end $$;

-- As the API's labels column has them.
create function tasks.check_labels(labels jsonb) returns jsonb language plpgsql as $$
declare
  label record;
begin
  if labels is null or labels = '{}' then return null; end if;
  perform tasks.check_argument(jsonb_typeof(labels) = 'object', 'labels', 'must be an object of strings');
  perform tasks.check_argument((select count(*) <= 32 from jsonb_object_keys(labels)), 'labels', 'has more than 32 pairs');
  for label in select key, value from jsonb_each(labels) loop
    perform tasks.check_argument(label.key ~ '^[A-Za-z0-9._/-]{1,63}$', 'labels',
      format('has the key "%s", which is not 1 to 63 characters of a-z A-Z 0-9 . _ / -', left(label.key, 63)));
    perform tasks.check_argument(jsonb_typeof(label.value) = 'string', 'labels.' || label.key, 'must be a string');
    perform tasks.check_text(label.value #>> '{}', 'labels.' || label.key, 255);
  end loop;
  return labels;
end $$;

-- As the retry_policy column has it, from max_attempts, min_backoff, max_backoff (intervals as text) and multiplier.
create function tasks.check_retry_policy(policy jsonb) returns jsonb language plpgsql as $$
declare
  member record;
begin
  if policy is null then return null; end if;
  perform tasks.check_argument(jsonb_typeof(policy) = 'object', 'retry_policy', 'must be an object');
  for member in select key, value, jsonb_typeof(value) as kind from jsonb_each(policy) loop
    perform tasks.check_argument(member.key in ('max_attempts', 'min_backoff', 'max_backoff', 'multiplier'), 'retry_policy',
      format('has the member "%s"; there are max_attempts, min_backoff, max_backoff and multiplier', left(member.key, 63)));
    perform tasks.check_argument(member.kind = case when member.key like '%backoff' then 'string' else 'number' end,
      'retry_policy.' || member.key, case when member.key like '%backoff' then 'must be text such as "10 s"' else 'must be a number' end);
  end loop;
  perform tasks.check_argument((policy->'max_attempts')::numeric between 1 and 100 and (policy->'max_attempts')::numeric % 1 = 0,
    'retry_policy.max_attempts', 'must be between 1 and 100');
  perform tasks.check_argument((policy->'multiplier')::numeric between 1 and 10, 'retry_policy.multiplier', 'must be between 1 and 10');
  return jsonb_strip_nulls(jsonb_build_object(
    'max_attempts', (policy->'max_attempts')::integer,
    'multiplier', (policy->'multiplier')::float8,
    'min_backoff_ms', tasks.check_duration((policy->>'min_backoff')::interval, 'retry_policy.min_backoff', '0', '24 hours'),
    'max_backoff_ms', tasks.check_duration((policy->>'max_backoff')::interval, 'retry_policy.max_backoff', '0', '24 hours')));
exception
  when invalid_datetime_format or datetime_field_overflow or interval_field_overflow then
    raise exception 'retry_policy: backoffs must be text such as "10 s"' using errcode = 'invalid_parameter_value';
end $$;

-- The queue; it is made on first use, up to 1,000 in a project.
create function tasks.make_queue(of_project text, of_name text) returns tasks.queue language plpgsql as $$
declare
  made tasks.queue;
begin
  loop
    select * into made from tasks.queue where project = of_project and name = of_name;
    if found then return made; end if;
    if (select count(*) >= 1000 from (select from tasks.queue where project = of_project limit 1000) as known) then
      raise exception 'projects/% has 1000 queues, the most there may be', of_project using errcode = 'configuration_limit_exceeded';
    end if;
    insert into tasks.queue (project, name) values (of_project, of_name) on conflict do nothing;
  end loop;
end $$;

-- Creates a task and answers with its id, or with that of the task that the same request ID made before.
--
-- Whoever may call it needs no right on any table: it runs as its owner. SQLSTATE 22023 for a wrong argument, 23505 for
-- a unique key or a request ID that another task has.
create function tasks.enqueue(
  project text,
  type text,
  payload jsonb default null,
  queue text default 'default',
  priority integer default 0,
  schedule_time timestamptz default null,
  request_id text default null,
  labels jsonb default null,
  fairness_key text default null,
  concurrency_key text default null,
  unique_key text default null,
  expire_time timestamptz default null,
  attempt_timeout interval default null,
  retry_policy jsonb default null,
  wake boolean default true
) returns uuid language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  new_id uuid := tasks.new_uuid();
  stored_queue tasks.queue;
  encoded bytea;
  stored_policy jsonb;
  timeout_ms integer;
  digest bytea;
  earlier tasks.request;
  is_scheduled boolean;
  is_steered boolean;
  holder uuid;
begin
  perform tasks.check_argument(coalesce(enqueue.project ~ '^[A-Za-z0-9~_.-]{1,128}$', false), 'project', 'must be 1 to 128 characters of a-z A-Z 0-9 ~ _ . -');
  perform tasks.check_argument(coalesce(enqueue.type ~ '^[A-Za-z0-9._-]{1,128}$', false), 'type', 'must be 1 to 128 characters of a-z A-Z 0-9 . _ -');
  enqueue.queue := coalesce(nullif(enqueue.queue, ''), 'default');
  perform tasks.check_argument(enqueue.queue ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$', 'queue',
    'must be 1 to 63 characters of a-z 0-9 -, beginning and ending with a letter or digit');
  enqueue.priority := coalesce(enqueue.priority, 0);
  perform tasks.check_argument(enqueue.priority between -100 and 100, 'priority', 'must be between -100 and 100');
  perform tasks.check_time(enqueue.schedule_time, 'schedule_time');
  perform tasks.check_time(enqueue.expire_time, 'expire_time');
  perform tasks.check_argument(enqueue.expire_time > enqueue.schedule_time, 'expire_time', 'must be after schedule_time');
  timeout_ms := tasks.check_duration(enqueue.attempt_timeout, 'attempt_timeout', '1 second', '24 hours');
  stored_policy := tasks.check_retry_policy(enqueue.retry_policy);
  enqueue.labels := tasks.check_labels(enqueue.labels);
  enqueue.request_id := tasks.check_text(enqueue.request_id, 'request_id', 128);
  enqueue.fairness_key := tasks.check_text(enqueue.fairness_key, 'fairness_key', 255);
  enqueue.concurrency_key := tasks.check_text(enqueue.concurrency_key, 'concurrency_key', 255);
  enqueue.unique_key := tasks.check_text(enqueue.unique_key, 'unique_key', 255);
  perform tasks.check_argument(jsonb_typeof(enqueue.payload) = 'object', 'payload', 'must be an object');
  encoded := tasks.encode_struct(enqueue.payload);
  perform tasks.check_argument(length(encoded) <= 262144, 'payload',
    format('has %s bytes encoded; at most 262144 are allowed', length(encoded)));

  if enqueue.request_id is not null then
    digest := sha256(convert_to(jsonb_build_array(enqueue.type, enqueue.queue, enqueue.payload, enqueue.priority,
      extract(epoch from enqueue.schedule_time), enqueue.labels, enqueue.fairness_key, enqueue.concurrency_key,
      enqueue.unique_key, extract(epoch from enqueue.expire_time), timeout_ms, stored_policy)::text, 'UTF8'));
    insert into tasks.request (project, request_id, task_id, fingerprint, expire_time)
      values (enqueue.project, enqueue.request_id, new_id, digest, tasks.now() + interval '24 hours') on conflict do nothing;
    if not found then
      select * into strict earlier from tasks.request
        where request.project = enqueue.project and request.request_id = enqueue.request_id;
      if earlier.fingerprint = digest then return earlier.task_id; end if;
      raise exception 'request ID % was used for another task', enqueue.request_id using errcode = 'unique_violation';
    end if;
  end if;

  stored_queue := tasks.make_queue(enqueue.project, enqueue.queue);
  is_scheduled := coalesce(enqueue.schedule_time > tasks.now(), false);
  -- A turn or a slot is taken when the task is promoted, a moment after the commit: taken here it would keep everybody
  -- with the same key waiting until then, and this transaction may be long.
  is_steered := stored_queue.is_fair or enqueue.fairness_key is not null or enqueue.concurrency_key is not null;
  if enqueue.fairness_key is not null and not stored_queue.is_fair then
    update tasks.queue set is_fair = true where id = stored_queue.id;
  end if;
  loop
    insert into tasks.task (project, id, queue_id, type, state, priority, schedule_time, expire_time, attempt_timeout_ms, retry_policy,
      request_id, fairness_key, concurrency_key, unique_key, labels, payload, create_time, rank_priority)
    values (enqueue.project, new_id, stored_queue.id, enqueue.type, case when is_scheduled or is_steered then 1 else 2 end, enqueue.priority,
      greatest(enqueue.schedule_time, tasks.now()), enqueue.expire_time, timeout_ms, stored_policy, enqueue.request_id,
      enqueue.fairness_key, enqueue.concurrency_key, enqueue.unique_key, enqueue.labels, encoded, tasks.now(), -enqueue.priority)
    on conflict (queue_id, unique_key) where unique_key is not null do nothing;
    exit when found;
    select id into holder from tasks.task where queue_id = stored_queue.id and unique_key = enqueue.unique_key;
    if found then
      raise exception 'unique key "%" is used by projects/%/tasks/%', enqueue.unique_key, enqueue.project, holder
        using errcode = 'unique_violation', constraint = 'task_unique', schema = 'tasks', table = 'task';
    end if;
    -- It has finished meanwhile.
  end loop;

  -- Instances hear of it at commit; see engine/wakeups.ts.
  if wake then
    if enqueue.fairness_key is not null and not stored_queue.is_fair then
      perform pg_notify('flowforge_tasks', 'enqueue queue ' || stored_queue.id);
    end if;
    if not is_scheduled and not is_steered then
      perform pg_notify('flowforge_tasks', 'enqueue ready ' || stored_queue.id);
    -- What is due later is found in time by itself.
    elsif not is_scheduled or enqueue.schedule_time < tasks.now() + interval '10 seconds' then
      perform pg_notify('flowforge_tasks', 'enqueue scheduled');
    end if;
  end if;
  return new_id;
end $$;

revoke execute on function tasks.enqueue from public;

-- migrate:down

drop function tasks.enqueue;
drop function tasks.make_queue, tasks.check_retry_policy, tasks.check_labels, tasks.check_duration, tasks.check_time, tasks.check_text,
  tasks.check_argument, tasks.new_uuid;
drop function tasks.encode_struct, tasks.encode_value, tasks.encode_double, tasks.encode_delimited, tasks.encode_varint;
