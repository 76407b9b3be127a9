-- How far a bulk retry with a rate has planned: when it is called again with the same filter, to go on or while it runs,
-- the rate goes on too. A row whose time has passed says nothing any more; the next such call removes it.
create table tasks.retry_pace (
  project     text not null,
  -- SHA-256 of the filter.
  filter      bytea not null,
  next_start  timestamptz not null,
  primary key (project, filter)
);

-- Whether tasks.enqueue() may store payloads, which it can only do in clear; the service sets it when it starts.
create table tasks.clear_payload (
  is_allowed boolean not null
);
create unique index clear_payload_once on tasks.clear_payload ((true));
insert into tasks.clear_payload values (true);

create function tasks.encode_clear(payload jsonb) returns bytea language plpgsql stable as $$
begin
  if payload is not null and not (select is_allowed from tasks.clear_payload) then
    raise exception 'payload: cannot be stored in clear here, and enqueue() cannot encrypt it; leave it out and let the handler read it, or create the task through the API'
      using errcode = 'invalid_parameter_value';
  end if;
  return tasks.encode_struct(payload);
end $$;

-- The rest of the function is that of 0005.
do $$
declare
  definition text := pg_get_functiondef('tasks.enqueue'::regproc);
begin
  execute replace(definition, 'encoded := tasks.encode_struct(enqueue.payload)', 'encoded := tasks.encode_clear(enqueue.payload)');
end $$;

-- migrate:down

do $$
declare
  definition text := pg_get_functiondef('tasks.enqueue'::regproc);
begin
  execute replace(definition, 'encoded := tasks.encode_clear(enqueue.payload)', 'encoded := tasks.encode_struct(enqueue.payload)');
end $$;

drop function tasks.encode_clear(jsonb);
drop table tasks.clear_payload;
drop table tasks.retry_pace;
