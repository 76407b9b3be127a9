import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { sql } from 'kysely'
import { isConflict, isDatabaseDown, isUniqueViolation, openDatabase, translateDatabaseError } from './database.ts'
import { registry } from './metrics.ts'
import { migrate, migrateDown } from './migrate.ts'
import { createTestDatabase } from './testing/database.ts'
import { quietLog, recordingLog } from './testing/log.ts'
import { until } from './testing/poll.ts'

const notes = 'create table notes.notes (id int primary key, text text);\n-- migrate:down\ndrop table notes.notes;'

function schemaFolder(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-schema-'))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return folder
}

async function setup(t: TestContext, options = {}) {
  const testDatabase = await createTestDatabase({
    component: 'notes',
    folder: schemaFolder({ '0001-notes.sql': notes }),
  })
  const { log, lines } = recordingLog()
  const database = openDatabase<{ 'notes.notes': { id: number; text: string } }>({
    url: testDatabase.url,
    component: 'notes',
    log,
    ...options,
  })
  t.after(() => database.close())
  return { ...testDatabase, ...database, lines }
}

test('a duplicate key is told from every other error, by its constraint if asked', async (t) => {
  const { kysely } = await setup(t)
  const insert = () => kysely.insertInto('notes.notes').values({ id: 1, text: 'x' }).execute()
  await insert()
  await rejects(
    insert(),
    (error) => isUniqueViolation(error) && isUniqueViolation(error, 'notes_pkey') && !isUniqueViolation(error, 'other'),
  )
  await rejects(sql`select 1/0`.execute(kysely), (error) => !isUniqueViolation(error))
})

test('two transactions that wait for each other end as a conflict for one of them', async (t) => {
  const { kysely } = await setup(t)
  await kysely
    .insertInto('notes.notes')
    .values([
      { id: 1, text: '' },
      { id: 2, text: '' },
    ])
    .execute()
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
  const cross = (first: number, second: number, mine: 0 | 1) =>
    kysely.transaction().execute(async (transaction) => {
      const update = (id: number) =>
        transaction.updateTable('notes.notes').set({ text: 'x' }).where('id', '=', id).execute()
      await update(first)
      gates[mine].resolve()
      await gates[1 - mine]!.promise
      await update(second)
    })
  const results = await Promise.allSettled([cross(1, 2, 0), cross(2, 1, 1)])
  const [failed, ...others] = results.filter((result) => result.status === 'rejected')
  equal(others.length, 0)
  ok(isConflict(failed?.reason))
  equal(translateDatabaseError(failed?.reason)?.reason, 'CONFLICT')
})

test('a lost connection is UNAVAILABLE for its statement, and the pool recovers', async (t) => {
  const { kysely, pool, adminUrl, lines } = await setup(t)
  const admin = openDatabase({ url: adminUrl, component: 'admin', log: quietLog })
  t.after(() => admin.close())
  const kill = () =>
    sql`select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'flowforge-notes' and datname = current_database()`.execute(admin.kysely)
  const lost = rejects(
    sql`select pg_sleep(30)`.execute(kysely),
    (error) => isDatabaseDown(error) && translateDatabaseError(error)?.reason === 'DATABASE_UNAVAILABLE',
  )
  await until(() => pool.totalCount - pool.idleCount === 1 && kill().then(({ rows }) => rows.length === 1))
  await lost
  const works = async () => (await sql<{ one: number }>`select 1 as one`.execute(kysely)).rows[0]?.one === 1
  await until(works)
  await kill()
  await until(() => lines.some(({ msg }) => msg === 'lost an idle database connection'))
  await until(works)
})

test('a database that is not there is UNAVAILABLE and does not end the process', async (t) => {
  const database = openDatabase({ url: 'postgres://nobody@127.0.0.1:1/none', component: 'notes', log: quietLog })
  t.after(() => database.close())
  await rejects(
    sql`select 1`.execute(database.kysely),
    (error) => translateDatabaseError(error)?.reason === 'DATABASE_UNAVAILABLE',
  )
})

test('a statement that takes too long is ended', async (t) => {
  const { kysely } = await setup(t, { statementTimeoutMs: 50 })
  await rejects(
    sql`select pg_sleep(30)`.execute(kysely),
    (error) => translateDatabaseError(error)?.reason === 'DATABASE_SLOW',
  )
})

test('the pool’s connections are counted when metrics are read', async (t) => {
  const { kysely } = await setup(t)
  await sql`select 1`.execute(kysely)
  match(await registry.metrics(), /database_pool_connections\{state="idle"\} 1/)
})

test('instances that start together migrate once, and every migration can be taken back', async (t) => {
  const { url, kysely } = await setup(t)
  const more =
    'alter table notes.notes add column extra int;\n-- migrate:down\nalter table notes.notes drop column extra;'
  const folder = schemaFolder({ '0001-notes.sql': notes, '0002-extra.sql': more, 'README.md': 'not a migration' })
  const { log, lines } = recordingLog()
  const options = { url, component: 'notes', folder, log }
  await Promise.all([migrate(options), migrate(options), migrate(options)])
  deepEqual(
    lines.map(({ migration, direction }) => [migration, direction]),
    [['0002-extra', 'Up']],
  )
  await sql`select extra from notes.notes`.execute(kysely)
  await migrateDown(options)
  await rejects(sql`select * from notes.notes`.execute(kysely), { code: '42P01' })
  await migrate(options)
})

test('a migration that fails leaves nothing behind and is named', async (t) => {
  const { url, kysely } = await setup(t)
  const folder = schemaFolder({
    '0001-notes.sql': notes,
    '0002-good.sql': 'create table notes.good (id int);\n-- migrate:down\ndrop table notes.good;',
    '0003-bad.sql': 'create tabel;\n-- migrate:down\n',
  })
  await rejects(migrate({ url, component: 'notes', folder, log: quietLog }), /migration 0003-bad of notes failed/)
  await rejects(sql`select * from notes.good`.execute(kysely), { code: '42P01' })
})

test('a migration without its way back is refused', async (t) => {
  const { url } = await setup(t)
  const folder = schemaFolder({ '0001-notes.sql': 'create table notes.notes (id int)' })
  await rejects(
    migrate({ url, component: 'notes', folder, log: quietLog }),
    /0001-notes\.sql must have exactly one line '-- migrate:down'/,
  )
})
