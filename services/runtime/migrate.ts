/** Migrations: `schema/NNNN-name.sql`, an up part, a line `-- migrate:down`, a down part. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { Migrator, NO_MIGRATIONS, type Migration, type MigrationResultSet } from 'kysely/migration'
import pg from 'pg'
import type { Logger } from './log.ts'

export interface MigrateOptions {
  url: string
  /** Owner of the schema of the same name; the migration tables live in it too. */
  component: string
  /** The folder of the migrations. */
  folder: string
  log: Logger
}

/**
 * Brings the component's schema up to date, in one transaction: all pending migrations are applied or none.
 *
 * Several instances may start at once; the others wait on an advisory lock and then find nothing to do.
 */
export async function migrate(options: MigrateOptions): Promise<void> {
  await run(options, (migrator) => migrator.migrateToLatest())
}

/** Takes every migration back. For tests: it shows that each down part works. */
export async function migrateDown(options: MigrateOptions): Promise<void> {
  await run(options, (migrator) => migrator.migrateTo(NO_MIGRATIONS))
}

async function run(options: MigrateOptions, step: (migrator: Migrator) => Promise<MigrationResultSet>): Promise<void> {
  const { url, component, folder, log } = options
  const pool = new pg.Pool({ connectionString: url, application_name: `flowforge-${component}-migrate`, max: 2 })
  pool.on('error', (error) => log.warn({ err: error }, 'lost an idle database connection'))
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  try {
    const migrator = new Migrator({
      db,
      provider: { getMigrations: () => readMigrations(folder) },
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
