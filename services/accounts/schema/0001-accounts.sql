-- The database's clock is the only one that decides; asked through this function, so that tests can move it.
create function accounts.now() returns timestamptz language sql stable as 'select pg_catalog.now()';

create table accounts.projects (
  id text primary key check (id ~ '^[a-z0-9-]{1,63}$'),
  display_name text not null,
  create_time timestamptz not null default accounts.now()
);

-- `number` gives the order of lists: identifiers are random, and two rows may share a create_time.
create table accounts.users (
  number bigint generated always as identity primary key,
  project text not null references accounts.projects (id),
  id text not null,
  email text not null,
  display_name text not null,
  roles text[] not null,
  create_time timestamptz not null default accounts.now(),
  unique (project, id)
);
-- One mailbox is one person, however it is capitalized.
create unique index users_email on accounts.users (project, lower(email));
create index users_page on accounts.users (project, number);

-- `user_id` has no foreign key: the keys of a deleted user stay listed, revoked, and still say whose they were.
create table accounts.api_keys (
  number bigint generated always as identity primary key,
  project text not null references accounts.projects (id),
  id text not null,
  display_name text not null,
  roles text[] not null check (cardinality(roles) > 0),
  user_id text,
  secret_hash bytea not null unique,
  prefix text not null,
  expire_time timestamptz,
  create_time timestamptz not null default accounts.now(),
  revoke_time timestamptz,
  unique (project, id)
);
create index api_keys_page on accounts.api_keys (project, number);
create index api_keys_user on accounts.api_keys (project, user_id) where user_id is not null;

create table accounts.audit_entries (
  number bigint generated always as identity primary key,
  project text not null references accounts.projects (id),
  principal text not null,
  method text not null,
  resource text not null,
  create_time timestamptz not null default accounts.now()
);
create index audit_entries_page on accounts.audit_entries (project, number desc);

-- migrate:down

drop table accounts.audit_entries;
drop table accounts.api_keys;
drop table accounts.users;
drop table accounts.projects;
drop function accounts.now();
