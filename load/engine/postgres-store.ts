import { readFileSync, statSync } from 'node:fs'
import type { Postgres } from '@flowforge/local/postgres'
import { createDatabase } from '@flowforge/local/provision'
import pg from 'pg'
import type { Store } from './store.ts'

/** A fresh database of the one PostgreSQL server that all contenders use. */
export async function createPostgresStore(
  server: Postgres,
  logFile: string,
  name: string,
  unfinished: string,
): Promise<Store> {
  const url = await createDatabase(server.url, name)
  const inside = await connect(url)
  const admin = await connect(server.url)
  // Every turn starts with the same distance to the next checkpoint.
  await admin.query('checkpoint')
  return {
    url,
    pids: [server.pid!],
    async unfinished() {
      const { rows } = await inside.query({ text: unfinished, rowMode: 'array' })
      return Number(rows[0]![0])
    },
    async written() {
      // Transaction numbers are given to writers only, and unlike pg_stat_database they are never late.
      const { rows } = await admin.query(
        "select pg_current_wal_insert_lsn() - '0/0' as bytes, pg_snapshot_xmax(pg_current_snapshot())::text::bigint as transactions",
      )
      return { bytes: Number(rows[0].bytes), transactions: Number(rows[0].transactions) }
    },
    async statementsDuring(work) {
      await admin.query("alter system set log_statement = 'all'")
      await admin.query('select pg_reload_conf()')
      try {
        const from = statSync(logFile).size
        await work()
        return countStatements(logFile, from)
      } finally {
        await admin.query('alter system reset log_statement')
        await admin.query('select pg_reload_conf()')
      }
    },
    async analyze() {
      await inside.query('analyze')
    },
    async remove() {
      await inside.end()
      await admin.query(`drop database ${pg.escapeIdentifier(name)} with (force)`)
      await admin.end()
    },
  }
}

/** Removes every task of FlowForge's from its database. */
export async function forgetTasks(url: string): Promise<void> {
  const client = await connect(url)
  await client.query('delete from tasks.task')
  await client.query('truncate tasks.finished_task')
  await client.end()
}

function countStatements(logFile: string, from: number): number {
  const lines = readFileSync(logFile).subarray(from).toString('utf8').split('\n')
  return lines.filter((line) => / LOG: {2}(statement|execute [^:]+): /.test(line)).length
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'flowforge-load' })
  client.on('error', () => {})
  await client.connect()
  return client
}
