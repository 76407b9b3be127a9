import { deepEqual, equal, match } from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import pg from 'pg'
import { startPostgres, type Postgres } from './postgres.ts'
import { createDatabase, provision } from './provision.ts'
import { until } from './until.ts'

const runningLoops = "select count(*)::text from pg_stat_activity where state = 'active' and query like 'do %loop%'"

async function setup(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-postgres-'))
  chmodSync(folder, 0o711)
  const messages: string[] = []
  const started: Postgres[] = []
  t.after(async () => {
    await Promise.all(started.map((postgres) => postgres.stop(5_000)))
    rmSync(folder, { recursive: true, force: true })
  })
  const start = async () => {
    const postgres = await startPostgres({
      dataDir: join(folder, 'postgres'),
      logFile: join(folder, 'postgres.log'),
      password: 'secret',
      onMessage: (line) => messages.push(line),
    })
    started.push(postgres)
    return postgres
  }
  return { start, messages }
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat()
  } finally {
    await client.end().catch(() => {})
  }
}

function succeeds(work: () => Promise<unknown>): Promise<boolean> {
  return work().then(
    () => true,
    () => false,
  )
}

test('what was committed is there after a stop and a new start', async (t) => {
  const { start } = await setup(t)
  const first = await start()
  await query(first.url, 'create table kept as select 42 as answer')
  await first.stop(5_000)
  const second = await start()
  deepEqual(await query(second.url, 'select answer from kept'), [42])
})

test('a killed PostgreSQL is started again on the same port, with a message', async (t) => {
  const { start, messages } = await setup(t)
  const postgres = await start()
  await query(postgres.url, 'create table kept as select 42 as answer')
  // A backend in a loop does not notice that its postmaster died, and keeps the shared memory.
  const busy = query(postgres.url, 'do $$ begin loop end loop; end $$').catch(() => [])
  equal(await until(async () => (await query(postgres.url, runningLoops))[0] === '1', 5_000), true)
  postgres.kill('SIGKILL')
  equal(await until(() => succeeds(() => query(postgres.url, 'select answer from kept')), 20_000), true)
  await busy
  deepEqual(messages, ['postgres exited (SIGKILL); started again'])
})

test('a wrong password is refused', async (t) => {
  const { start } = await setup(t)
  const { port } = await start()
  const error = await query(`postgres://postgres:wrong@127.0.0.1:${port}/postgres`, 'select 1').catch(
    (reason) => reason,
  )
  equal(error.code, '28P01')
})

test('each component owns its schema and cannot see another one', async (t) => {
  const { start } = await setup(t)
  const postgres = await start()
  const database = await createDatabase(postgres.url, 'flowforge')
  const make = () => provision(database, (role) => `${role}-password`)
  // As processes do that start together.
  const [urls] = await Promise.all([make(), make(), make()])
  await query(urls.tasks, 'create table tasks.mine as select 1 as value')
  deepEqual(await query(urls.tasks, 'select current_user::text, current_schema()::text'), ['flowforge_tasks', 'tasks'])
  const error = await query(urls.accounts, 'select * from tasks.mine').catch((reason) => reason)
  equal(error.code, '42501')
  // A later start finds everything and changes nothing.
  deepEqual(await make(), urls)
  deepEqual(await query(urls.tasks, 'select value from tasks.mine'), [1])
})

test('a user that may make roles and schemas is enough; one that may not is told what it needs', async (t) => {
  const { start } = await setup(t)
  const postgres = await start()
  await query(postgres.url, `create role maker login createrole password 'x'`)
  await query(postgres.url, `create role nobody_special login password 'x'`)
  await query(postgres.url, 'create database own owner maker')
  const own = (user: string) => `postgres://${user}:x@127.0.0.1:${postgres.port}/own`
  const urls = await provision(own('maker'), () => 'y')
  equal(await succeeds(() => query(urls.tasks, 'create table tasks.mine (value int)')), true)
  const refusal = await provision(own('nobody_special'), () => 'y').catch((reason) => reason)
  match(refusal.message, /nobody_special@127.* needs CREATEROLE and CREATE on the database/)
})
