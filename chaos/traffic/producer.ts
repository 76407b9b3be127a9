/** Hands in tasks over HTTP at a steady rate, open loop, and writes down what was acknowledged. */
import { setTimeout as delay } from 'node:timers/promises'
import { HttpTarget, type HttpAnswer } from '@flowforge/load/http-target'
import { openLoop } from '@flowforge/load/open-loop'
import type { NewTask } from '@flowforge/sdk/client-resources'
import { HistoryFile } from '@flowforge/tasks/proof/history/events'
import type { Traffic } from '../experiment.ts'
import type { Try } from '../observe/series.ts'

const path = '/v1/projects/default/tasks'
const againAfterMs = 500
const answerWithinMs = 10_000
const keysCount = 5

export interface ProducerOptions {
  url: string
  apiKey: string
  traffic: Traffic
  /** Where acknowledgements are written down. */
  historyFile: string
  /** The clock of the run: milliseconds since it began. */
  elapsedMs: () => number
}

/** The queue and its limit that every experiment uses. */
export const chaosQueue = { name: 'chaos', concurrencyPerKey: 3 }

/**
 * Each task is tried until it is acknowledged, under one request ID; the first try of each is what errors are counted by.
 * A share of the tasks carries a concurrency key, and each belongs to a large or a small tenant.
 */
export class Producer {
  readonly tries: Try[] = []
  /** How often a task has been sent, repeats included. */
  sent = 0
  /** How often a task was sent again at once, because its connection was closed without an answer. */
  resent = 0
  readonly #options: ProducerOptions
  readonly #target: HttpTarget
  readonly #history: HistoryFile
  readonly #stop = new AbortController()
  readonly #open = new Set<Promise<void>>()
  #loop: Promise<unknown> = Promise.resolve()
  #acknowledged = 0
  #isOver = false

  constructor(options: ProducerOptions) {
    const { url, apiKey, historyFile } = options
    this.#options = options
    this.#target = new HttpTarget({ urls: [url], apiKey, connections: 5_000, timeoutMs: answerWithinMs })
    this.#history = new HistoryFile(historyFile, 'producer')
  }

  get acknowledged(): number {
    return this.#acknowledged
  }

  /** Begins, and goes on until it is stopped. */
  start(): void {
    const arrivals = {
      ratePerSecond: () => this.#options.traffic.ratePerSecond,
      forMs: 3_600_000,
      signal: this.#stop.signal,
    }
    this.#loop = openLoop(arrivals, (index, dueAt) => this.submit(this.#taskOf(index), dueAt))
  }

  /** Hands in one more task, beside the steady flow. */
  submit(task: NewTask, dueAt = performance.now()): void {
    const work = this.#untilAcknowledged(JSON.stringify(task), dueAt).finally(() => this.#open.delete(work))
    this.#open.add(work)
  }

  /** Hands in many tasks with few calls, all or none of which are acknowledged; fails when the gateway refuses. */
  async submitMany(tasks: NewTask[]): Promise<void> {
    for (let first = 0; first < tasks.length; first += 1_000) {
      const requests = tasks.slice(first, first + 1_000).map((task) => ({ task }))
      const { status, body } = await this.#target.call('POST', `${path}:batchCreate`, JSON.stringify({ requests }))
      if (status !== 200) throw new Error(`a batch was answered with ${status}: ${body.slice(0, 200)}`)
      const { results } = JSON.parse(body) as { results: { task?: { name: string } }[] }
      for (const { task } of results) if (task) this.#acknowledge(task.name)
    }
  }

  /** Sends no more and waits until everything is acknowledged, at most `withinMs`; tells how many are not. */
  async stop(withinMs: number): Promise<number> {
    this.#stop.abort()
    await this.#loop
    await Promise.race([Promise.all(this.#open), delay(withinMs, undefined, { ref: false })])
    const unanswered = this.#open.size
    this.#isOver = true
    await this.#target.close()
    return unanswered
  }

  async #untilAcknowledged(json: string, dueAt: number): Promise<void> {
    const { elapsedMs } = this.#options
    const dueMs = elapsedMs() - (performance.now() - dueAt)
    for (let isFirst = true; !this.#isOver; isFirst = false) {
      const { status, body } = await this.#send(json)
      const isGood = status === 200
      if (isFirst) this.tries.push({ dueMs, endedMs: elapsedMs(), status: isGood ? 'OK' : statusName(status, body) })
      if (isGood) return this.#acknowledge((JSON.parse(body) as { name: string }).name)
      await delay(againAfterMs)
    }
  }

  /**
   * Sends a task, and once more at once, over a new connection, if the one that was kept is closed without an answer. Who keeps
   * connections has to expect that of each, and clients and balancers do so where it is safe, as it is under a request ID.
   */
  async #send(json: string): Promise<HttpAnswer> {
    const startedAt = performance.now()
    this.sent += 1
    const answer = await this.#target.call('POST', path, json)
    if (answer.status !== 0 || performance.now() - startedAt >= answerWithinMs) return answer
    this.sent += 1
    this.resent += 1
    return this.#target.callAnew('POST', path, json)
  }

  #acknowledge(task: string): void {
    this.#acknowledged += 1
    this.#history.told({ kind: 'created', task })
  }

  #taskOf(index: number): NewTask {
    const [from, to] = this.#options.traffic.taskMs
    return {
      type: 'chaos.work',
      queue: chaosQueue.name,
      payload: { n: index, ms: Math.round(from + Math.random() * (to - from)) },
      requestId: crypto.randomUUID(),
      retryPolicy: { minBackoff: '0.1s' },
      fairnessKey: index % 5 === 0 ? 'small' : 'large',
      ...(index % 3 === 0 ? { concurrencyKey: `key-${index % keysCount}` } : {}),
    }
  }
}

function statusName(status: number, body: string): string {
  if (status === 0) return 'NO_ANSWER'
  return /"status":"([A-Z_]+)"/.exec(body)?.[1] ?? `HTTP_${status}`
}
