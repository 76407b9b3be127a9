/** One contender's turn: everything it needs is started, used and ended here. */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import type { Postgres } from '@flowforge/local/postgres'
import { Bench } from './bench.ts'
import type { Contender } from './contenders.ts'
import type { MeasureName } from './measures.ts'
import { createPostgresStore, forgetTasks } from './postgres-store.ts'
import { attachProfiler, type CpuProfiler } from './profiler.ts'
import { createRedisStore } from './redis-store.ts'
import { migrateRiver } from './river.ts'
import type { Scale } from './scales.ts'
import type { Scenario } from './scenarios.ts'
import { warm } from './scenarios/warm.ts'
import type { Store } from './store.ts'
import { startTasksService, type TasksService } from './tasks-service.ts'

export interface TurnOptions {
  contender: Contender
  scenarios: Scenario[]
  scale: Scale
  postgres: Postgres
  postgresLog: string
  riverBinary: string | undefined
  folder: string
  /** Where to put CPU profiles, if they are wanted. */
  profiles: string | undefined
  signal: AbortSignal
  report: (measure: MeasureName, value: number) => void
  say: (text: string) => void
}

/** Thrown with the scenario in which a contender failed. */
export class TurnError extends Error {
  readonly scenario: string

  constructor(scenario: string, cause: unknown) {
    super((cause as Error).message, { cause })
    this.scenario = scenario
  }
}

let turns = 0

/** Runs the scenarios in order; rejects with a TurnError at the first that fails. Nothing is left running. */
export async function takeTurn(options: TurnOptions): Promise<void> {
  const { contender, scenarios, signal } = options
  const folder = mkdtempSync(join(options.folder, `${contender.name}-`))
  const ends: (() => Promise<unknown> | void)[] = []
  let scenario = 'start'
  try {
    const bench = await start(options, folder, ends)
    scenario = 'warm-up'
    options.say(scenario)
    await warm(bench)
    for (const { name, run, oursOnly } of scenarios) {
      if (oursOnly && contender.adapter !== 'flowforge') continue
      signal.throwIfAborted()
      scenario = name
      options.say(name)
      if (oursOnly) await bench.emptyQueue()
      await run(bench)
      await bench.compareHistories()
      // What it may have left is nobody else's.
      if (oursOnly) await forgetTasks(bench.store.url)
    }
  } catch (error) {
    throw new TurnError(scenario, error)
  } finally {
    for (const end of ends.reverse()) {
      // The others must end too.
      await Promise.resolve(end()).catch((error: Error) => options.say(`could not clean up: ${error.message}`))
    }
  }
}

async function start(options: TurnOptions, folder: string, ends: (() => Promise<unknown> | void)[]): Promise<Bench> {
  const { contender, scale, riverBinary, profiles, report, say, signal } = options
  const store = await createStore(options, folder)
  ends.push(() => store.remove())
  let service: TasksService | undefined
  let profiler: CpuProfiler | undefined
  if (contender.adapter === 'flowforge') {
    const started = await startTasksService({ databaseUrl: store.url, folder, inspect: profiles !== undefined })
    service = started
    ends.push(() => started.stop())
    if (profiles) {
      const attached = await attachProfiler(started.inspectorPort!, profiles, say)
      profiler = attached
      ends.push(() => attached.close())
    }
  }
  if (contender.adapter === 'river') await migrateRiver(riverBinary!, store.url)
  const bench = new Bench({ contender, scale, store, service, profiler, riverBinary, folder, report })
  ends.push(() => bench.end())
  const onAbort = () => bench.killAll()
  signal.addEventListener('abort', onAbort, { once: true })
  ends.push(() => signal.removeEventListener('abort', onAbort))
  return bench
}

async function createStore({ contender, postgres, postgresLog }: TurnOptions, folder: string): Promise<Store> {
  if (contender.store === 'redis') return createRedisStore(folder, contender.appendfsync!)
  turns += 1
  return createPostgresStore(postgres, postgresLog, `load_${turns}`, contender.unfinished)
}
