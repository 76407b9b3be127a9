import { equal, notEqual, ok } from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import pg from 'pg'
import { createTestDatabase } from './database.ts'

function schemaFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-schema-'))
  writeFileSync(
    join(folder, '0001-notes.sql'),
    `create function notes.now() returns timestamptz language sql stable as $$ select pg_catalog.now() $$;
     create table notes.notes (text text not null, create_time timestamptz not null default notes.now());
-- migrate:down
     drop table notes.notes; drop function notes.now;`,
  )
  return folder
}

async function ask<T>(url: string, text: string): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query({ text, rowMode: 'array' })).rows[0]?.[0] as T
  } finally {
    await client.end()
  }
}

test('each test database is a migrated clone of its own, used as the component’s own role', async () => {
  const folder = schemaFolder()
  const [one, other] = await Promise.all([
    createTestDatabase({ component: 'notes', folder }),
    createTestDatabase({ component: 'notes', folder }),
  ])
  notEqual(one.url, other.url)
  await ask(one.url, `insert into notes.notes values ('only here')`)
  equal(await ask(other.url, 'select count(*)::int from notes.notes'), 0)
  equal(await ask(one.url, 'select current_user::text'), 'flowforge_notes')
})

test('the clock moves for every connection and for column defaults, and the real one stays', async () => {
  const { url, setClock, advanceClock } = await createTestDatabase({ component: 'notes', folder: schemaFolder() })
  const ahead = 'select extract(epoch from notes.now() - pg_catalog.now())::int'
  equal(await ask(url, ahead), 0)
  await setClock(60_000)
  await advanceClock(1_000)
  equal(await ask(url, ahead), 61)
  await ask(url, `insert into notes.notes values ('later')`)
  ok(await ask<boolean>(url, `select create_time > pg_catalog.now() + interval '50 seconds' from notes.notes`))
})

test('a clock that is moved stands still for a transaction that has asked it', async () => {
  const { url, setClock } = await createTestDatabase({ component: 'notes', folder: schemaFolder() })
  await setClock(1_000)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const ahead = async (): Promise<number> =>
    (await client.query('select extract(epoch from notes.now() - pg_catalog.now())::int as s')).rows[0].s
  try {
    await client.query('begin')
    equal(await ahead(), 1)
    await setClock(60_000)
    equal(await ahead(), 1)
    await client.query('commit')
    equal(await ahead(), 60)
  } finally {
    await client.end()
  }
})
