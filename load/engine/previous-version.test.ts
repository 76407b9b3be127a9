/**
 * A rolling update as it happens: the build of the last commit before the newest migration and this one on one database,
 * under load, the schema going up and then down again beneath them.
 */
import { deepEqual, ok } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { root } from '@flowforge/local/config'
import { freePort } from '@flowforge/local/free-port'
import { startPostgres } from '@flowforge/local/postgres'
import { createDatabase, provision } from '@flowforge/local/provision'
import { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { TaskServiceService } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { identityOf } from '@flowforge/runtime/identity'
import { migrateDown } from '@flowforge/runtime/migrate'
import { quietLog } from '@flowforge/runtime/testing/log'
import { until } from '@flowforge/runtime/testing/poll'
import { Worker } from '@flowforge/sdk'
import { grpcClient } from '@flowforge/sdk/grpc-client'
import { checkHistories } from '@flowforge/tasks/proof/history/check'
import { readStored } from '@flowforge/tasks/proof/history/stored'
import pg from 'pg'
import { OlderBuild } from '../older-build.ts'
import { startTasksService, tasksEntry, type TasksService } from './tasks-service.ts'
import { Told } from './told.ts'

const lockMsMax = 100
const callers = 4
const parent = 'projects/default'
const schema = join(root, 'services/tasks/schema')
const migrations = readdirSync(schema)
  .filter((file) => file.endsWith('.sql'))
  .toSorted()
const previous = commitBefore(join('services/tasks/schema', migrations.at(-1)!))

test(
  'the version before and this one work side by side while the schema goes up and down, and nothing is lost',
  { skip: previous === undefined && 'the history of this clone does not reach back to the version before' },
  async (t) => {
    const { databaseUrl, tasksUrl, folder } = await setup(t)
    const older = await OlderBuild.of(previous!, folder)
    t.after(() => older.remove())
    const ports = [await freePort(), await freePort()] as const
    const start = async (port: number, entry?: string) => {
      const service = await startTasksService({ databaseUrl, folder, inspect: false, port, entry })
      t.after(service.stop)
      return service
    }
    const entry = older.entryOf({ name: 'tasks', component: 'tasks', entry: tasksEntry, adminPort: 0, env: {} })
    const before = await start(ports[0], entry)
    const told = new Told('test')
    const finished = { byOlder: 0, byNewer: 0 }
    const oldWorker = await work(t, before, told, () => finished.byOlder++)
    const locks = watchLocks(databaseUrl)
    const load = produce(before, `ipv4:${ports.map((port) => `127.0.0.1:${port}`).join(',')}`, told)
    const someMore = async (...versions: (keyof typeof finished)[]) => {
      const from = { ...finished }
      await until(() => versions.every((version) => finished[version] > from[version] + 100), { deadlineMs: 30_000 })
    }
    await someMore('byOlder')
    const after = await start(ports[1])
    const newWorker = await work(t, after, told, () => finished.byNewer++)
    await someMore('byOlder', 'byNewer')
    await newWorker.drain(3_000)
    await after.stop()
    const upTo = migrations.at(-2)!.slice(0, -'.sql'.length)
    await migrateDown({ url: tasksUrl, component: 'tasks', folder: schema, log: quietLog }, upTo)
    await someMore('byOlder')
    const created = await load.stop()
    await until(() => finished.byOlder + finished.byNewer >= created, { deadlineMs: 30_000 })
    await oldWorker.drain(3_000)
    const longestMs = await locks.stop()
    t.diagnostic(`${created} tasks beside ${older.commit}; longest wait for a table: ${longestMs.toFixed(1)} ms`)
    deepEqual(checkHistories(told.events, await readStored(databaseUrl, 'default'), { isComplete: true }), [])
    ok(longestMs < lockMsMax, `somebody waited ${longestMs} ms for a table`)
  },
)

/** A PostgreSQL of its own, since roles and their passwords are the server's. */
async function setup(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-versions-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  // PostgreSQL may run as another user, who must be able to pass.
  chmodSync(folder, 0o711)
  const postgres = await startPostgres({
    dataDir: join(folder, 'postgres'),
    logFile: join(folder, 'postgres.log'),
    password: 'test',
    durable: false,
    onMessage: (line) => t.diagnostic(line),
  })
  t.after(() => postgres.stop(5_000))
  const databaseUrl = await createDatabase(postgres.url, 'versions')
  const { tasks: tasksUrl } = await provision(databaseUrl, () => 'load')
  return { databaseUrl, tasksUrl, folder }
}

async function work(t: TestContext, service: TasksService, told: Told, onEnd: () => void): Promise<Worker> {
  const worker = new Worker({
    ...connectionTo(service, service.address, 'worker'),
    parent,
    handlers: { load: () => undefined },
    capacity: 20,
    onLeased: told.leased,
    onSettled: (outcome, verdict) => {
      told.settled(outcome, verdict)
      onEnd()
    },
    log: quietLog,
  })
  t.after(() => worker.drain(0))
  await worker.start()
  return worker
}

/** Creates tasks until it is stopped; each is tried again with its request ID until it is acknowledged. */
function produce(service: TasksService, address: string, told: Told) {
  const client = grpcClient(TaskServiceService, connectionTo(service, address, 'operator'))
  let isOver = false
  let created = 0
  const caller = async () => {
    while (!isOver) {
      const request = { parent, task: Task.fromPartial({ type: 'load' }), requestId: randomUUID() }
      const create = () => client.createTask(request, { timeoutMs: 2_000 }).catch(() => undefined)
      told.created(await until(create, { deadlineMs: 30_000 }))
      created += 1
    }
  }
  const all = Promise.all(Array.from({ length: callers }, caller))
  return {
    async stop() {
      isOver = true
      await all
      client.close()
      return created
    },
  }
}

/** The longest that anybody waits for a table; seen from outside, so that a busy machine is not taken for a lock. */
function watchLocks(url: string) {
  let longestMs = 0
  let isOver = false
  const all = (async () => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    while (!isOver) {
      const { rows } = await client.query(`
        select coalesce(max(extract(epoch from clock_timestamp() - waitstart)) * 1000, 0)::float8 as ms from pg_locks
        where not granted and locktype = 'relation' and database = (select oid from pg_database where datname = current_database())`)
      longestMs = Math.max(longestMs, rows[0].ms)
    }
    await client.end()
  })()
  return {
    async stop() {
      isOver = true
      await all
      return longestMs
    },
  }
}

function connectionTo({ certificates }: TasksService, address: string, component: string) {
  return { address, tls: { folder: `${certificates}/${component}`, serverName: identityOf('tasks') } }
}

/** The commit before the one that added this file, or the last one if it is new; undefined if git cannot say. */
function commitBefore(file: string): string | undefined {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    const added = git('log', '--diff-filter=A', '--format=%H', '-1', '--', file)
    return git('rev-parse', '--verify', '--quiet', added ? `${added}^{commit}~1` : 'HEAD')
  } catch {
    return undefined
  }
}
