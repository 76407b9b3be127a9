import { execFile } from 'node:child_process'
import { chownSync, existsSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { freePort } from './free-port.ts'
import { makeStagingFolder, placePostgres, type PostgresPlace } from './postgres-place.ts'
import { processesIn, send } from './processes.ts'
import { supervise, type Supervised } from './supervise.ts'
import { until } from './until.ts'

const run = promisify(execFile)
const superuser = 'postgres'

export interface PostgresOptions {
  /** The database's own folder; made at the first start. */
  dataDir: string
  logFile: string
  /** The superuser's password; the one that the database was made with. */
  password: string
  port?: number
  /** False gives up safety against power loss for speed: for tests only. */
  durable?: boolean
  signal?: AbortSignal | undefined
  onSpawn?: (pid: number) => void
  onMessage: (line: string) => void
}

export interface Postgres extends Supervised {
  /** The superuser's URL. */
  readonly url: string
  readonly port: number
}

/**
 * Starts the PostgreSQL that the packages bring, on 127.0.0.1 only, and settles once it answers.
 *
 * It recovers by itself from a kill of the machine or of any process, and is started again on the same port when it dies.
 * The caller makes sure that no second one is started for the same folder.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const place = placePostgres(options.dataDir, options.onMessage)
  if (!existsSync(join(place.dataDir, 'PG_VERSION'))) await createCluster(place, options)
  const port = options.port ?? (await freePort())
  const url = `postgres://${superuser}:${options.password}@127.0.0.1:${port}/postgres`
  const supervised = await supervise({
    name: 'postgres',
    command: join(place.binaries, 'bin/postgres'),
    args: ['-D', place.dataDir, ...settings(port, options.durable ?? true)],
    env: { PATH: process.env.PATH ?? '', LC_ALL: 'C', TZ: 'UTC' },
    cwd: place.dataDir,
    logFile: options.logFile,
    ...place.user,
    // SIGINT is PostgreSQL's fast shutdown; on SIGTERM it would wait until every client has left.
    stopSignal: 'SIGINT',
    beforeStart: () => clearRemains(place.dataDir),
    isReady: () => answers(url),
    readyWithinMs: 60_000,
    signal: options.signal,
    onSpawn: options.onSpawn,
    onMessage: options.onMessage,
  })
  return Object.assign(supervised, { url, port })
}

/** Makes the database beside its final place and moves it there, so that a kill in between leaves nothing half made. */
async function createCluster(place: PostgresPlace, { password, durable, signal }: PostgresOptions): Promise<void> {
  const staging = makeStagingFolder(place)
  const passwordFile = `${staging}.password`
  writeFileSync(passwordFile, password, { mode: 0o600 })
  if (place.user) chownSync(passwordFile, place.user.uid, place.user.gid)
  const flags = [
    '--no-instructions',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  ]
  if (durable === false) flags.push('--no-sync')
  const access = [`--username=${superuser}`, '--auth=scram-sha-256', `--pwfile=${passwordFile}`]
  try {
    const env = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' }
    await run(join(place.binaries, 'bin/initdb'), ['-D', staging, ...access, ...flags], {
      ...place.user,
      cwd: '/',
      env,
      signal,
    })
    rmSync(place.dataDir, { recursive: true, force: true })
    renameSync(staging, place.dataDir)
  } catch (cause) {
    rmSync(staging, { recursive: true, force: true })
    const { stderr, message } = cause as Error & { stderr?: string }
    throw new Error(`PostgreSQL's initdb failed: ${stderr || message}`, { cause })
  } finally {
    rmSync(passwordFile)
  }
}

function settings(port: number, durable: boolean): string[] {
  const values: Record<string, string | number> = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: durable ? 150 : 400,
    shared_buffers: '256MB',
    max_wal_size: '2GB',
    jit: 'off',
    log_timezone: 'UTC',
    timezone: 'UTC',
    log_line_prefix: '%m [%p] %a ',
    fsync: durable ? 'on' : 'off',
    synchronous_commit: durable ? 'on' : 'off',
    full_page_writes: durable ? 'on' : 'off',
  }
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/**
 * Removes what a killed PostgreSQL leaves in the way of the next one.
 *
 * Its backends end by themselves, but one in the middle of a long statement notices late and keeps the shared memory; and
 * its lock file may name a number that another process has got since. Only processes that work in this very data folder
 * are touched.
 */
async function clearRemains(dataDir: string): Promise<void> {
  const folder = realpathSync(dataDir)
  const alive = () => processesIn(folder, 'postgres')
  const lock = join(dataDir, 'postmaster.pid')
  const postmaster = existsSync(lock) ? Number(readFileSync(lock, 'utf8').split('\n')[0]) : 0
  if (alive().includes(postmaster)) send(postmaster, 'SIGINT')
  if (!(await until(() => alive().length === 0, 3_000))) {
    for (const pid of alive()) send(pid, 'SIGKILL')
    await until(() => alive().length === 0, 3_000)
  }
  if (process.platform === 'linux') rmSync(lock, { force: true })
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 })
  // A connection that breaks after it was made must not end this process.
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch {
    // Not up yet, or still recovering.
    return false
  } finally {
    await client.end().catch(() => {})
  }
}
