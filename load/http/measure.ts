/** One scenario against a running system: arrivals, answers, what it cost, and what waited meanwhile. */
import { setInterval } from 'node:timers'
import type { System } from '@flowforge/local/system'
import { until } from '@flowforge/local/until'
import pg from 'pg'
import { HttpTarget } from '../http-target.ts'
import { LatencyRecorder, type Latencies } from '../latencies.ts'
import { openLoop } from '../open-loop.ts'
import { UsageMeter, type Usage } from '../usage.ts'
import type { Scenario } from './scenarios.ts'

/** A second of a run. */
export interface Second {
  second: number
  offered: number
  answered: number
  errors: number
  backlog: number
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

const warmUpMs = 2_000
const answerWithinMs = 10_000
const tasksPath = '/v1/projects/default/tasks'

export async function measure(system: System, scenario: Scenario, signal: AbortSignal): Promise<Measured> {
  const database = new pg.Client({ connectionString: system.databaseUrl })
  await database.connect()
  const target = new HttpTarget({
    urls: [system.url],
    apiKey: system.apiKey,
    connections: scenario.users,
    timeoutMs: answerWithinMs,
  })
  try {
    if (scenario.stored) await store(target, scenario, scenario.stored)
    const asker = new Asker(target, scenario)
    await openLoop({ ratePerSecond: scenario.ratePerSecond, forMs: warmUpMs, signal }, () => void asker.ask())
    await asker.idle()
    return await run(system, scenario, new Asker(target, scenario, asker.known), database, signal)
  } finally {
    await target.close()
    await database.end()
  }
}

async function run(
  system: System,
  scenario: Scenario,
  asker: Asker,
  database: pg.Client,
  signal: AbortSignal,
): Promise<Measured> {
  const waiting = async () => Number((await database.query('select count(*) from tasks.task')).rows[0].count)
  const seconds: Second[] = []
  const latencies = new LatencyRecorder()
  let [offered, answered, errors] = [0, 0, 0]
  let before = { offered: 0, answered: 0, errors: 0 }
  const tick = async () => {
    const now = { offered, answered, errors }
    const second = seconds.length
    seconds.push({
      second,
      offered: now.offered - before.offered,
      answered: now.answered - before.answered,
      errors: now.errors - before.errors,
      backlog: 0,
    })
    before = now
    seconds[second]!.backlog = await waiting()
  }
  const meter = new UsageMeter(() => system.pids())
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

/** Asks what a scenario asks for. */
class Asker {
  /** A task that was created, to be read. */
  known: string
  readonly #target: HttpTarget
  readonly #scenario: Scenario
  readonly #text: string
  readonly #open = new Set<Promise<unknown>>()
  #asked = 0

  constructor(target: HttpTarget, scenario: Scenario, known = '') {
    this.#target = target
    this.#scenario = scenario
    this.#text = 'x'.repeat(scenario.payloadBytes)
    this.known = known
  }

  /** Whether the answer was 200. */
  ask(): Promise<boolean> {
    const index = this.#asked++
    const { readEvery } = this.#scenario
    const isRead = readEvery !== undefined && this.known !== '' && index % readEvery === 0
    const asking = (isRead ? this.#read(index) : this.#create(index)).finally(() => this.#open.delete(asking))
    this.#open.add(asking)
    return asking
  }

  async idle(): Promise<void> {
    await Promise.all(this.#open)
  }

  async #read(index: number): Promise<boolean> {
    const path = index % 4 === 0 ? `${tasksPath}?pageSize=20` : `/v1/${this.known}`
    return (await this.#target.call('GET', path)).status === 200
  }

  async #create(index: number): Promise<boolean> {
    const { status, body } = await this.#target.call(
      'POST',
      tasksPath,
      JSON.stringify(taskOf(this.#scenario, index, this.#text)),
    )
    if (status === 200 && this.known === '') this.known = (JSON.parse(body) as { name: string }).name
    return status === 200
  }
}

function taskOf({ tenants, name }: Scenario, index: number, text: string) {
  const fairnessKey = tenants && `tenant-${index % 2 === 0 ? 0 : (index >> 1) % tenants}`
  return { type: 'echo', queue: name, payload: { text }, ...(fairnessKey && { fairnessKey }) }
}

async function store(target: HttpTarget, scenario: Scenario, count: number): Promise<void> {
  for (let first = 0; first < count; first += 1_000) {
    const requests = Array.from({ length: Math.min(1_000, count - first) }, (_, n) => ({
      task: taskOf(scenario, first + n, 'x'.repeat(100)),
    }))
    const { status, body } = await target.call('POST', `${tasksPath}:batchCreate`, JSON.stringify({ requests }))
    if (status !== 200) throw new Error(`tasks could not be stored: ${status} ${body.slice(0, 200)}`)
  }
}
