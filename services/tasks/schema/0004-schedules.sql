create table tasks.schedule (
  project        text not null,
  id             text not null,
  cron           text not null,
  time_zone      text not null,
  -- The task to create: an encoded flowforge.tasks.v1.Task.
  template       bytea not null,
  paused         boolean not null default false,
  next_fire_time timestamptz,
  last_fire_time timestamptz,
  last_task      text,
  -- The numbers of flowforge.tasks.v1.MissedFirePolicy and OverlapPolicy; 0 for the default.
  missed_fire_policy smallint not null default 0,
  overlap_policy     smallint not null default 0,
  jitter_ms      integer not null default 0,
  create_time    timestamptz not null default tasks.now(),
  revision       integer not null default 1,
  primary key (project, id)
);
create index schedule_next_fire on tasks.schedule (next_fire_time) where not paused and next_fire_time is not null;

-- migrate:down

drop table tasks.schedule;
