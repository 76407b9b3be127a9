-- The database's clock is the only one that decides; asked through this function, so that tests can move it.
create function notifications.now() returns timestamptz language sql stable as 'select pg_catalog.now()';

-- A subscription made again under an old name has another uid, so that its deliveries are its own.
create table notifications.subscriptions (
  uid uuid primary key default gen_random_uuid(),
  project text not null,
  id text not null check (id ~ '^[a-z0-9-]{1,63}$'),
  url text not null,
  states text[] not null check (states <@ array['SUCCEEDED', 'CANCELLED', 'DEAD']),
  types text[] not null,
  queues text[] not null,
  secret text not null,
  paused boolean not null,
  create_time timestamptz not null default notifications.now(),
  active_since timestamptz not null default notifications.now(),
  unique (project, id)
);

-- `finish_time` is in the key because a redriven task ends more than once, and each end is told.
create table notifications.deliveries (
  number bigint generated always as identity primary key,
  subscription uuid not null references notifications.subscriptions (uid) on delete cascade,
  task text not null,
  state text not null,
  finish_time timestamptz not null,
  delivery_task text not null,
  create_time timestamptz not null default notifications.now(),
  unique (subscription, task, finish_time)
);
create index deliveries_page on notifications.deliveries (subscription, number desc);
create index deliveries_age on notifications.deliveries (create_time);

-- One row. `version` changes with every change of the subscriptions and every change of the follower, and
-- the cursor moves only by a follower that knows the current version: engine/following.ts tells why.
create table notifications.follower (
  id boolean primary key default true check (id),
  cursor text,
  version bigint not null default 0
);
insert into notifications.follower default values;

-- migrate:down

drop table notifications.follower;
drop table notifications.deliveries;
drop table notifications.subscriptions;
drop function notifications.now();
