/** A database of its own for each test file: a clone of a template that is migrated once per version of a schema. */
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { postgresUrl, readConfig } from '../config.ts'
import { migrate } from '../migrate.ts'
import { installClock, type TestClock } from './clock.ts'
import { quietLog } from './log.ts'
import { throwawayPostgres } from './postgres.ts'

export interface TestDatabaseOptions {
  component: string
  /** The component's schema folder. */
  folder: string
}

export interface TestDatabase extends TestClock {
  /** As the component's own role, which owns its schema and nothing else. */
  url: string
  /** As the superuser, for what a test has to arrange from outside. */
  adminUrl: string
}

const password = 'flowforge-test'

/**
 * Makes a migrated database for one test file.
 *
 * It lives in the server of FLOWFORGE_TEST_DATABASE_URL (a superuser's URL), or in one that is started for this
 * process. It is never dropped: dropping costs more than cloning, and the server is thrown away anyway.
 */
export async function createTestDatabase({ component, folder }: TestDatabaseOptions): Promise<TestDatabase> {
  const { server } = readConfig({ server: postgresUrl('FLOWFORGE_TEST_DATABASE_URL', { optional: true }) })
  const serverUrl = server ?? (await throwawayPostgres())
  const clone = `test_${component}_${randomBytes(8).toString('hex')}`
  await withAdmin(serverUrl, async (admin) => {
    const template = await migratedTemplate(admin, serverUrl, component, folder)
    await admin.query(`create database ${clone} template ${template} strategy file_copy`)
  })
  const url = urlFor(serverUrl, clone, `flowforge_${component}`, password)
  return { url, adminUrl: urlFor(serverUrl, clone), ...installClock(url, component) }
}

/** The name of a database that is at the schema's newest state; the first process that needs it makes it. */
async function migratedTemplate(
  admin: pg.Client,
  serverUrl: string,
  component: string,
  folder: string,
): Promise<string> {
  const template = `template_${component}_${hashOf(folder)}`
  const role = `flowforge_${component}`
  await admin.query(`select pg_advisory_lock(hashtext('flowforge test template'))`)
  try {
    if (await exists(admin, 'pg_database', 'datname', template)) return template
    if (!(await exists(admin, 'pg_roles', 'rolname', role))) {
      await admin.query(`create role ${role} login password ${pg.escapeLiteral(password)}`)
      await admin.query(`alter role ${role} set search_path = ${component}`)
    } else {
      await admin.query(`alter role ${role} login password ${pg.escapeLiteral(password)}`)
    }
    // Built under another name: a process that dies here leaves no template that only looks finished.
    const building = `${template}_building`
    await admin.query(`drop database if exists ${building} with (force)`)
    await admin.query(`create database ${building}`)
    await withAdmin(urlFor(serverUrl, building), (inside) =>
      inside.query(`create schema ${component} authorization ${role}`),
    )
    await migrate({ url: urlFor(serverUrl, building, role, password), component, folder, log: quietLog })
    await admin.query(`alter database ${building} rename to ${template}`)
    return template
  } finally {
    await admin.query(`select pg_advisory_unlock(hashtext('flowforge test template'))`)
  }
}

function hashOf(folder: string): string {
  const hash = createHash('sha256')
  for (const file of readdirSync(folder).sort()) {
    if (file.endsWith('.sql')) hash.update(file).update(readFileSync(join(folder, file)))
  }
  return hash.digest('hex').slice(0, 16)
}

async function exists(admin: pg.Client, table: string, column: string, value: string): Promise<boolean> {
  const { rowCount } = await admin.query(`select from ${table} where ${column} = $1`, [value])
  return rowCount === 1
}

function urlFor(serverUrl: string, database: string, user?: string, userPassword?: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${database}`
  if (user) url.username = user
  if (userPassword) url.password = userPassword
  return url.href
}

async function withAdmin<T>(url: string, fn: (admin: pg.Client) => Promise<T>): Promise<T> {
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  try {
    return await fn(admin)
  } finally {
    await admin.end()
  }
}
