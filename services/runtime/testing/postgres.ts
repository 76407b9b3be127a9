import { AsyncResource } from 'node:async_hooks'
import { chmodSync, mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { startPostgres } from '@flowforge/local/postgres'
import pg from 'pg'
import { until } from './poll.ts'

let started: Promise<string> | undefined

/** Runs as while the module loaded: what is registered inside a test would belong to that test and end the server too early. */
const outsideOfTests = AsyncResource.bind((register: () => void) => register())

/** The superuser's URL of a PostgreSQL for this process alone; it is gone with all its data when the tests end. */
export function throwawayPostgres(): Promise<string> {
  return (started ??= start())
}

async function start(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-postgres-'))
  // PostgreSQL runs as another user when we are root, and has to pass through.
  chmodSync(folder, 0o711)
  const postgres = await startPostgres({
    dataDir: join(folder, 'data'),
    logFile: join(folder, 'postgres.log'),
    password: 'flowforge-test',
    durable: false,
    onMessage: (line) => process.stderr.write(`${line}\n`),
  })
  // Only now: hooks run in their order, and by now the tests' own are there, which close what uses it.
  outsideOfTests(() =>
    after(async () => {
      await unused(postgres.url)
      await postgres.stop(5_000)
      await rm(folder, { recursive: true, force: true })
    }),
  )
  return postgres.url
}

/** A pool says that it has ended before its connections have: those would tell of the server's end by an error that nobody hears. */
async function unused(url: string): Promise<void> {
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  const others = `select from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`
  // Whoever has not closed it by then will not.
  await until(async () => (await admin.query(others)).rowCount === 0, { deadlineMs: 2_000 }).catch(() => undefined)
  await admin.end()
}
