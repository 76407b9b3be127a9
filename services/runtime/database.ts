import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Logger } from './log.ts'
import { databaseConnections } from './metrics.ts'

export { isConflict, isDatabaseDown, isTransient, isUniqueViolation } from './sqlstate.ts'
export { translateDatabaseError } from './status.ts'

/** A service's connections to its own schema. `kysely` for ordinary statements, `pool` for the few that need the driver. */
export interface Database<T> {
  kysely: Kysely<T>
  pool: pg.Pool
  /** Waits for the statements in flight, then closes every connection. */
  close(): Promise<void>
}

export interface DatabaseOptions {
  url: string
  /** Shown as `application_name`, so that the server's own views tell whose connection it is. */
  component: string
  poolSize?: number
  /** Longest time of one statement; longer than any RPC may take makes no sense. */
  statementTimeoutMs?: number
  /**
   * True if the URL is that of a pooler in transaction mode, such as PgBouncer: each transaction may meet another server
   * connection, so statements are not prepared by name, and timeouts are left to the role's own settings.
   */
  isPooled?: boolean
  log: Logger
}

/** Opens a pool. Connects on first use, so a database that is still starting delays calls and does not stop the process. */
export function openDatabase<T>(options: DatabaseOptions): Database<T> {
  const { url, component, poolSize = 10, statementTimeoutMs = 30_000, isPooled = false, log } = options
  const pool = new pg.Pool({
    connectionString: url,
    application_name: `flowforge-${component}`,
    max: poolSize,
    ...(isPooled
      ? { Client: UnnamedClient }
      : { statement_timeout: statementTimeoutMs, idle_in_transaction_session_timeout: statementTimeoutMs }),
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
  })
  // Without listeners the loss of a connection that has no statement in flight would end the process: the pool's own is
  // for idle ones, the client's for one that is checked out, between two statements of a transaction.
  pool.on('error', (error) => log.warn({ err: error }, 'lost an idle database connection'))
  pool.on('connect', (client) => client.on('error', (error) => log.debug({ err: error }, 'lost a database connection')))
  observe(pool)
  const kysely = new Kysely<T>({ dialect: new PostgresDialect({ pool }) })
  const close = async (): Promise<void> => {
    await kysely.destroy()
    // Kysely ends only a pool that it has used itself.
    if (!pool.ended) await pool.end()
  }
  return { kysely, pool, close }
}

/** Prepares nothing by name: what one server connection knows, the next one does not. */
class UnnamedClient extends pg.Client {
  // Every one of the driver's signatures begins with the statement.
  override query(statement: object | string, ...rest: unknown[]): never {
    const unnamed = typeof statement === 'object' && 'name' in statement ? { ...statement, name: undefined } : statement
    return (super.query as (...args: unknown[]) => never).call(this, unnamed, ...rest)
  }
}

function observe(pool: pg.Pool): void {
  const update = (): void => {
    databaseConnections.set({ state: 'in_use' }, pool.totalCount - pool.idleCount)
    databaseConnections.set({ state: 'idle' }, pool.idleCount)
    databaseConnections.set({ state: 'waiting' }, pool.waitingCount)
  }
  // Counted when they are read: a gauge that every checkout updates costs more than it tells.
  Object.assign(databaseConnections, { collect: update })
}
