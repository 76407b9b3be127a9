/** Migrations: `schema/NNNN-name.sql`, an up part, a line `-- migrate:down`, a down part. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { Migrator, NO_MIGRATIONS, type Migration, type MigrationResultSet } from 'kysely/migration'
import pg from 'pg'
import type { Logger } from './log.ts'
import { isDatabaseDown } from './sqlstate.ts'

export interface MigrateOptions {
  url: string
  /** Owner of the schema of the same name; the migration tables live in it too. */
  component: string
  /** The folder of the migrations. */
  folder: string
  /** How long to wait for a database that does not answer yet, as when both start together; not at all when not given. */
  waitMs?: number
  log: Logger
}

/**
 * Brings the component's schema up to date, in one transaction: all pending migrations are applied or none.
 *
 * Several instances may start at once; the others wait on an advisory lock and then find nothing to do. A schema that a
 * later version has already brought further is left alone, so that going back to this version needs no change of the
 * database: each version's migrations have to leave room for the version before it.
 */
export async function migrate(options: MigrateOptions): Promise<void> {
  await run(options, (migrator) => migrator.migrateToLatest())
}

/** Takes every migration back, or those after the one of this name. For tests: it shows that each down part works. */
export async function migrateDown(options: MigrateOptions, to?: string): Promise<void> {
  await run(options, (migrator) => migrator.migrateTo(to ?? NO_MIGRATIONS))
}

async function run(options: MigrateOptions, step: (migrator: Migrator) => Promise<MigrationResultSet>): Promise<void> {
  const { url, component, folder, log } = options
  const pool = new pg.Pool({ connectionString: url, application_name: `flowforge-${component}-migrate`, max: 2 })
  pool.on('error', (error) => log.warn({ err: error }, 'lost an idle database connection'))
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  try {
    await untilAnswering(pool, options)
    const migrations = await readMigrations(folder)
    const applied = await appliedMigrations(pool, component)
    if (isAhead(applied, Object.keys(migrations))) {
      return log.warn({ applied: applied.at(-1) }, 'the schema is of a later version: left as it is')
    }
    const migrator = new Migrator({
      db,
      provider: { getMigrations: async () => migrations },
      migrationTableSchema: component,
      migrationTableName: 'migrations',
      migrationLockTableName: 'migrations_lock',
    })
    const { error, results = [] } = await step(migrator)
    for (const { migrationName, direction, status } of results) {
      if (status === 'Error') throw new Error(`migration ${migrationName} of ${component} failed`, { cause: error })
      log.info({ migration: migrationName, direction }, 'migrated')
    }
    if (error) throw error
  } finally {
    await db.destroy()
  }
}

async function untilAnswering(pool: pg.Pool, { waitMs = 0, log }: MigrateOptions): Promise<void> {
  const giveUpAt = performance.now() + waitMs
  for (;;) {
    try {
      await pool.query('select')
      return
    } catch (error) {
      if (!isDatabaseDown(error) || performance.now() >= giveUpAt) throw error
      log.info({ reason: (error as Error).message }, 'waiting for the database')
      await delay(500)
    }
  }
}

async function appliedMigrations(pool: pg.Pool, component: string): Promise<string[]> {
  const table = `${pg.escapeIdentifier(component)}.migrations`
  const { rows: known } = await pool.query('select to_regclass($1) is not null as is_there', [table])
  if (!known[0].is_there) return []
  const { rows } = await pool.query(`select name from ${table} order by name`)
  return rows.map(({ name }) => name)
}

/** All of ours were applied, in our order, and others after them. */
function isAhead(applied: string[], ours: string[]): boolean {
  return applied.length > ours.length && ours.every((name, index) => applied[index] === name)
}

async function readMigrations(folder: string): Promise<Record<string, Migration>> {
  const migrations: Record<string, Migration> = {}
  for (const file of (await readdir(folder)).sort()) {
    if (!file.endsWith('.sql')) continue
    if (!/^\d{4}-[a-z0-9-]+\.sql$/.test(file)) throw new Error(`${file} is not named NNNN-name.sql`)
    const [up, down, ...more] = (await readFile(join(folder, file), 'utf8')).split(/^-- migrate:down\s*$/m)
    if (up === undefined || down === undefined || more.length > 0) {
      throw new Error(`${file} must have exactly one line '-- migrate:down'`)
    }
    migrations[file.slice(0, -'.sql'.length)] = {
      up: async (db) => void (await sql.raw(up).execute(db)),
      down: async (db) => void (await sql.raw(down).execute(db)),
    }
  }
  return migrations
}
