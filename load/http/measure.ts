/** One scenario against a running system: arrivals, answers, what it cost, and what waited meanwhile. */
import { setInterval } from 'node:timers'
import type { System } from '@flowforge/local/system'
import { until } from '@flowforge/local/until'
import pg from 'pg'
import { HttpTarget } from '../http-target.ts'
import { LatencyRecorder, type Latencies } from '../latencies.ts'
import { openLoop } from '../open-loop.ts'
import { UsageMeter, type Usage } from '../usage.ts'
import { Asker } from './asker.ts'
import type { Scenario } from './scenarios.ts'
import { SlowServer } from './slow-server.ts'

/** A second of a run. */
export interface Second {
  second: number
  offered: number
  answered: number
  errors: number
  backlog: number
  /** Of all processes together; absent in data from before it was looked at. */
  memoryMiB?: number
}

export interface Measured {
  name: string
  offered: number
  /** Answered a second, between the first arrival and the last answer. */
  perSecond: number
  errorShare: number
  latencies: Latencies
  usage: Usage[]
  backlogMax: number
  /** From the last arrival until nothing waited; undefined where nobody works, or it took more than a minute. */
  drainMs?: number | undefined
  seconds: Second[]
}

/** What a run tells of itself while it lasts. */
export interface Told {
  phase: 'warming up' | 'storing' | 'measuring' | 'draining'
  lengthMs?: number
  counted: string
}

export interface MeasureOptions {
  signal: AbortSignal
  tell?: (told: Told) => void
}

const warmUpMs = 2_000
const answerWithinMs = 10_000

export async function measure(system: System, scenario: Scenario, options: MeasureOptions): Promise<Measured> {
  const { signal, tell } = options
  const database = new pg.Client({ connectionString: system.databaseUrl })
  await database.connect()
  const target = new HttpTarget({
    urls: [system.url],
    apiKey: system.apiKey,
    connections: scenario.users,
    timeoutMs: answerWithinMs,
  })
  const slow = scenario.taskMs ? await SlowServer.start(scenario.taskMs) : undefined
  try {
    const asker = new Asker({ target, scenario, slowUrl: slow?.url })
    tell?.({ phase: 'warming up', lengthMs: warmUpMs, counted: '' })
    await openLoop({ ratePerSecond: scenario.ratePerSecond, forMs: warmUpMs, signal }, () => void asker.ask())
    await asker.idle()
    if (scenario.stored) {
      tell?.({ phase: 'storing', counted: '' })
      await asker.setPaused(true)
      await asker.store(scenario.stored)
      await asker.setPaused(false)
    }
    return await run(system, scenario, asker, database, options)
  } finally {
    await target.close()
    await database.end()
    slow?.close()
  }
}

async function run(
  system: System,
  scenario: Scenario,
  asker: Asker,
  database: pg.Client,
  { signal, tell }: MeasureOptions,
): Promise<Measured> {
  const waiting = async () => Number((await database.query('select count(*) from tasks.task')).rows[0].count)
  const seconds: Second[] = []
  const latencies = new LatencyRecorder()
  let [offered, answered, errors] = [0, 0, 0]
  let before = { offered: 0, answered: 0, errors: 0 }
  const meter = new UsageMeter(() => system.pids())
  const tick = async () => {
    const second = {
      second: seconds.length,
      offered: offered - before.offered,
      answered: answered - before.answered,
      errors: errors - before.errors,
      backlog: 0,
      memoryMiB: meter.memoryMiB,
    }
    before = { offered, answered, errors }
    seconds.push(second)
    second.backlog = await waiting()
    tell?.({
      phase: 'measuring',
      lengthMs: scenario.seconds * 1_000,
      counted: `${answered} answered, ${errors} errors, ${second.backlog} waiting`,
    })
  }
  const ticker = setInterval(() => void tick(), 1_000)
  const startedAt = performance.now()
  await openLoop({ ratePerSecond: scenario.ratePerSecond, forMs: scenario.seconds * 1_000, signal }, (_, dueAt) => {
    offered += 1
    void asker.ask().then((isGood) => {
      answered += 1
      if (isGood) latencies.record(performance.now() - dueAt)
      else errors += 1
    })
  })
  await asker.idle()
  const elapsedMs = performance.now() - startedAt
  clearInterval(ticker)
  await tick()
  const usage = meter.stop()
  tell?.({ phase: 'draining', counted: `${seconds.at(-1)!.backlog} waiting` })
  const isEmpty =
    scenario.capacity > 0 && (await until(async () => (await waiting()) === 0, 60_000, { everyMs: 50, signal }))
  return {
    name: scenario.name,
    offered,
    perSecond: Math.round(((answered - errors) * 1_000) / elapsedMs),
    errorShare: offered === 0 ? 0 : errors / offered,
    latencies: latencies.read(),
    usage,
    backlogMax: Math.max(...seconds.map(({ backlog }) => backlog)),
    drainMs: isEmpty ? Math.round(performance.now() - startedAt - elapsedMs) : undefined,
    seconds,
  }
}
