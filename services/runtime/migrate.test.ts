import { deepEqual, rejects } from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import pg from 'pg'
import { migrate } from './migrate.ts'
import { createTestDatabase } from './testing/database.ts'
import { quietLog } from './testing/log.ts'

const first = 'create table tasks.one ();\n-- migrate:down\ndrop table tasks.one;\n'
const second = 'create table tasks.two ();\n-- migrate:down\ndrop table tasks.two;\n'

async function setup(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-migrate-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  write('0001-one.sql', first)
  const { url } = await createTestDatabase({ component: 'tasks', folder })
  const tables = async () => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const { rows } = await client.query(
      `select tablename from pg_tables where schemaname = 'tasks' and tablename !~ '^migrations' order by 1`,
    )
    await client.end()
    return rows.map((row) => row.tablename)
  }
  return { folder, write, url, tables }
}

test('a version that comes back finds the schema of a later one and leaves it alone', async (t) => {
  const { folder, write, url, tables } = await setup(t)
  write('0002-two.sql', second)
  await migrate({ url, component: 'tasks', folder, log: quietLog })
  rmSync(join(folder, '0002-two.sql'))
  await migrate({ url, component: 'tasks', folder, log: quietLog })
  deepEqual(await tables(), ['one', 'two'])
})

test('a schema that parted from ours is refused, not taken for a later one', async (t) => {
  const { folder, write, url, tables } = await setup(t)
  write('0002-two.sql', second)
  await migrate({ url, component: 'tasks', folder, log: quietLog })
  rmSync(join(folder, '0002-two.sql'))
  write('0003-three.sql', second.replaceAll('two', 'three'))
  await rejects(migrate({ url, component: 'tasks', folder, log: quietLog }), /corrupted migrations/)
  deepEqual(await tables(), ['one', 'two'])
})

test('a database that does not answer is waited for, and no longer than told', async (t) => {
  const { folder } = await setup(t)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  const options = { url: `postgres://tasks:x@127.0.0.1:${port}/flowforge`, component: 'tasks', folder, log: quietLog }
  await rejects(migrate({ ...options, waitMs: 600 }), /ECONNREFUSED/)
})
