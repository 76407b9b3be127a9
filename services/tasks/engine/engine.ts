/**
 * The queue engine of one process: the verbs, batched, and what follows from each (who is woken, what is counted).
 * No gRPC here. The statements are in the files named after the verbs.
 */
import type { Logger } from '@flowforge/runtime/log'
import type pg from 'pg'
import { Batch } from './batch.ts'
import { bulkCancel } from './bulk-cancel.ts'
import { bulkRetry } from './bulk-retry.ts'
import type { BulkResult, Selection } from './bulk.ts'
import { cancelTask, type CancelResult } from './cancel.ts'
import { Changes } from './changes.ts'
import { completeTasks, type Completed, type Success } from './complete.ts'
import type { Created, NewTask, Successes } from './create.ts'
import { Creations } from './creations.ts'
import { Dispatcher } from './dispatcher.ts'
import { storeProgress, type Progress } from './extend.ts'
import { judgeRefused, leaseId, leaseLost, leaseOf, type LeaseKey } from './fence.ts'
import { giveBackLease } from './give-back.ts'
import { workersOf } from './hand-over.ts'
import type { LeasedRow } from './lease.ts'
import { Leasing } from './leasing.ts'
import { openLeased } from './open-leased.ts'
import { attemptsEnded, stateName, tasksCompleted, tasksCreated } from './metrics.ts'
import { QueueCache } from './queue-cache.ts'
import type { TaskKey } from './read.ts'
import { redriveTask } from './redrive.ts'
import type { Sealer } from './seal.ts'
import { settleTasks, type Ending, type Settled } from './settle.ts'
import { isFinished, Outcome, READY, SCHEDULED, SUCCEEDED } from './states.ts'
import { quarantineError, type Sweep } from './sweep.ts'
import type { TaskRow } from '../tables.ts'
import { Wakeups, type Cancellation } from './wakeups.ts'

export interface EngineOptions {
  pool: pg.Pool
  /** Where to listen for wake-ups; a session of its own, never behind a transaction pooler. */
  listenUrl: string
  /** How long a request ID is remembered, in seconds. */
  requestWindowS: number
  /** Losses after which a task is quarantined. */
  lossesMax: number
  /** Encrypts what tasks carry. */
  sealer: Sealer
  log: Logger
}

const rowsMax = 1000
const waitingMax = 50_000

export class Engine {
  readonly pool: pg.Pool
  readonly queues: QueueCache
  readonly dispatcher: Dispatcher
  readonly changes: Changes
  readonly lossesMax: number
  readonly sealer: Sealer
  readonly log: Logger
  /** Called with the delay in milliseconds when a task became SCHEDULED. */
  onScheduled: (inMs: number) => void = () => undefined
  /** Called when tasks have finished. */
  onFinished = new Set<() => void>()
  /** Called when an attempt should stop whose session this process may serve. */
  onCancel: (cancellation: Cancellation) => void = () => undefined
  /** Called when a lease ended whose session this process may serve. */
  onLost: (lease: LeaseKey) => void = () => undefined
  readonly #wakeups: Wakeups
  readonly #leasing: Leasing
  readonly #creations: Creations
  readonly #successes: Batch<Success, void>
  readonly #endings: Batch<Ending, Settled | undefined>
  readonly #progress: Batch<Progress, boolean>

  constructor({ pool, listenUrl, requestWindowS, lossesMax, sealer, log }: EngineOptions) {
    this.pool = pool
    this.log = log
    this.lossesMax = lossesMax
    this.sealer = sealer
    this.queues = new QueueCache(pool)
    this.changes = new Changes(pool, log)
    this.dispatcher = new Dispatcher({
      lease: async (queueId, types, slots) => this.#open(queueId, await this.#leasing.lease(queueId, types, slots)),
      queueById: (queueId) => this.queues.byId(queueId),
      giveBack: (rows) => this.giveBack(rows.map(leaseOf)),
      log,
    })
    this.#leasing = new Leasing({
      pool,
      queues: this.queues,
      onRefilled: (queueId) => this.dispatcher.mark([queueId]),
    })
    this.#wakeups = new Wakeups(
      pool,
      listenUrl,
      {
        onReady: (queueIds) => this.look(queueIds),
        onReadySince: (queueId, sinceMs) => this.#wake(queueId, sinceMs),
        onScheduled: () => this.onScheduled(0),
        onCancel: (cancellation) => this.onCancel(cancellation),
        onQueueChange: (queueId) => {
          this.queues.forget(queueId)
          this.dispatcher.changed(queueId)
        },
        onReconnect: () => this.onReconnect(),
      },
      log,
    )
    const bounds = { itemsMax: rowsMax, waitingMax }
    this.#creations = new Creations({
      pool,
      requestWindowS,
      sealer,
      workers: workersOf(this.dispatcher, this.queues),
      successes: this.#passing(),
      waitingMax,
    })
    this.#successes = new Batch({
      ...bounds,
      flush: async (items) => this.#completed(items, await completeTasks(this.pool, items)),
      holdMs: () => this.#creations.nextInMs(),
      bytesMax: 8 * 2 ** 20,
      bytesOf: (item) => item.result?.length ?? 0,
    })
    this.#endings = new Batch({ ...bounds, flush: (items) => this.#settleAll(items) })
    this.#progress = new Batch({ ...bounds, flush: (items) => this.#storeAll(items) })
  }

  /** Called when wake-ups may have been missed. */
  onReconnect: () => void = () => undefined

  /** Listens for wake-ups; resolves when they arrive. */
  start(): Promise<void> {
    return this.#wakeups.start()
  }

  async stop(): Promise<void> {
    this.#leasing.stop()
    await this.dispatcher.stop()
    this.changes.stop()
    await this.#wakeups.stop()
  }

  /** Stores a task; it is durable when this resolves. */
  async create(task: NewTask): Promise<Created> {
    const created = await this.#creations.create(task)
    await this.#created([task], [created])
    return created
  }

  /** Stores up to 1,000 tasks and answers for each; what was stored is durable when this resolves. */
  async createAll(tasks: NewTask[]): Promise<(Created | Error)[]> {
    const results = await this.#creations.createAll(tasks)
    await this.#created(tasks, results)
    return results
  }

  /** Records up to 1,000 successes; for each LEASE_LOST if the attempt was replaced, NOT_FOUND if the task is gone. */
  completeAll(successes: Success[]): Promise<(void | Error)[]> {
    return this.#successes.addAll(
      successes.map((success) => ({ ...success, result: this.sealer.seal('result', success, success.result) })),
    )
  }

  /** Ends an attempt in any other way; undefined if the same ending had been accepted before. */
  settle(ending: Ending): Promise<Settled | undefined> {
    return this.#endings.add(ending)
  }

  /** Stores progress; true if the attempt should stop. LEASE_LOST if it was replaced. */
  async progress(report: Progress): Promise<boolean> {
    const progress = this.sealer.seal('progress', report, report.progress)
    const isCancelled = await this.#progress.add({ ...report, progress })
    this.changes.changed(report.id)
    return isCancelled
  }

  async cancel(key: TaskKey, revision: number | null): Promise<CancelResult> {
    const result = await cancelTask(this.pool, key, revision)
    if (result.kind === 'none') return result
    this.changes.changed(key.id)
    if (result.kind === 'cancelled') {
      tasksCompleted.inc({ state: 'cancelled' })
      this.#finished()
    } else {
      await this.#tellToStop([{ sessionId: result.sessionId, attempt: result.attempt, ...key }])
    }
    return result
  }

  /** Makes a dead, cancelled or scheduled task READY; false if there was none. */
  async redrive(key: TaskKey, revision: number | null): Promise<boolean> {
    const queueId = await redriveTask(this.pool, key, revision)
    if (queueId === undefined) return false
    this.changes.changed(key.id)
    this.#ready(queueId)
    return true
  }

  /** Cancels what the selection finds. */
  bulkCancel(selection: Selection): Promise<BulkResult> {
    return bulkCancel(this.pool, selection, async ({ cancelled, requested }) => {
      for (const id of [...cancelled, ...requested.map((task) => task.id)]) this.changes.changed(id)
      tasksCompleted.inc({ state: 'cancelled' }, cancelled.length)
      if (cancelled.length > 0) this.#finished()
      await this.#tellToStop(requested)
    })
  }

  /** Redrives what the selection finds, all at once if the rate is 0. */
  bulkRetry(selection: Selection, ratePerSecond: number): Promise<BulkResult> {
    return bulkRetry(this.pool, selection, ratePerSecond, ({ ids, queueIds }) => {
      for (const id of ids) this.changes.changed(id)
      if (ratePerSecond === 0) for (const queueId of queueIds) this.#ready(queueId)
      else if (ids.length > 0) this.onScheduled(0)
    })
  }

  /** Tasks of these queues became READY by upkeep, waiting since then at the earliest. */
  promoted(queueIds: number[], sinceMs = -Infinity): void {
    for (const queueId of queueIds) this.#ready(queueId, sinceMs)
  }

  /** Something may be READY in these queues, but nobody knows of it. */
  look(queueIds: number[]): void {
    for (const queueId of queueIds) this.#leasing.starts.doubt(queueId)
    this.dispatcher.mark(queueIds)
  }

  /** Follows up on what a sweep ended. */
  swept({ settled, expired }: Pick<Sweep, 'settled' | 'expired'>): void {
    for (const row of settled) {
      this.#follow(row, 'lost')
      this.onLost(leaseOf(row))
    }
    for (const row of expired) this.changes.changed(row.id)
    tasksCompleted.inc({ state: 'dead' }, expired.length)
    if (expired.length > 0) this.#finished()
  }

  /** Puts back leases that reached nobody, for other workers to have now and not when they expire. */
  giveBack(leases: LeaseKey[]): void {
    const settle = (ending: Ending) => this.settle(ending)
    for (const lease of leases) void giveBackLease(lease, settle, this.log)
  }

  /** The queue's settings changed: whoever serves it must look at them again. */
  async queueChanged(queueId: number): Promise<void> {
    this.queues.forget(queueId)
    this.dispatcher.changed(queueId)
    await this.#wakeups
      .announceQueueChange(queueId)
      .catch((error) => this.log.warn({ err: error }, 'could not tell the other processes of a changed queue'))
    this.#ready(queueId)
  }

  /** Tells whoever is concerned what was created. */
  async #created(tasks: NewTask[], results: (Created | Error)[]): Promise<void> {
    const ready = new Map<number, number>()
    let count = 0
    let scheduledInMs = Infinity
    for (const [i, created] of results.entries()) {
      if (created instanceof Error) continue
      const { row, isNew, isReplaced, isLeased } = created
      if (isReplaced) this.#replaced(row)
      if (!isNew) continue
      count += 1
      if (tasks[i]!.isFair && this.queues.known(row.queue_id)?.isFair === false) await this.queueChanged(row.queue_id)
      if (isLeased) continue
      // One with a key may have given a slot to another that waits longer.
      const sinceMs = row.concurrency_key === null ? row.schedule_time.getTime() : -Infinity
      if (row.state === READY) ready.set(row.queue_id, Math.min(ready.get(row.queue_id) ?? Infinity, sinceMs))
      else scheduledInMs = Math.min(scheduledInMs, row.schedule_time.getTime() - row.create_time.getTime())
    }
    if (count > 0) tasksCreated.inc(count)
    for (const [queueId, sinceMs] of ready) this.#ready(queueId, sinceMs)
    if (scheduledInMs < Infinity) this.onScheduled(scheduledInMs)
  }

  /** The leased tasks in clear. Those that cannot be read fail for good: no worker here could run them. */
  #open(queueId: number, rows: LeasedRow[]): LeasedRow[] {
    const { readable, unreadable } = openLeased(this.sealer, rows)
    if (unreadable.length === 0) return readable
    Promise.all(unreadable.map((ending) => this.settle(ending)))
      .catch((error) => this.log.warn({ err: error }, 'could not fail tasks that cannot be read'))
      // Their places are still free for others.
      .finally(() => this.dispatcher.mark([queueId]))
    return readable
  }

  /** A waiting task has another state, time and payload. */
  #replaced(row: TaskRow): void {
    this.changes.changed(row.id)
    // Also if it waits longer now: it may have given its slot to another task.
    this.#ready(row.queue_id)
    if (row.state === SCHEDULED) this.onScheduled(0)
  }

  /** An attempt ended: a limit that it counted against may let another task start. */
  #roomAfter(queueId: number, isKeyed: boolean): void {
    if (isKeyed || this.queues.known(queueId)?.isPlain === false) this.#ready(queueId)
  }

  async #tellToStop(cancellations: Cancellation[]): Promise<void> {
    for (const cancellation of cancellations) this.onCancel(cancellation)
    await this.#wakeups
      .announceCancels(cancellations)
      .catch((error) => this.log.warn({ err: error }, 'could not tell the other processes of a cancellation'))
  }

  /** A task that waits since then is READY; any if nothing is said. */
  #ready(queueId: number, sinceMs = -Infinity): void {
    this.#wake(queueId, sinceMs)
    this.#wakeups.announceReady(queueId, sinceMs)
  }

  #wake(queueId: number, sinceMs: number): void {
    this.#leasing.starts.lower(queueId, sinceMs)
    this.dispatcher.mark([queueId])
  }

  #finished(): void {
    for (const listener of this.onFinished) listener()
  }

  #passing(): Successes {
    return {
      passengers: () => this.#successes.passengers(),
      written: (passengers, completed) =>
        void this.#completed(passengers.items, completed).then(passengers.settle, passengers.fail),
    }
  }

  async #completed(items: Success[], completed: Completed): Promise<(void | Error)[]> {
    const { refused, queueIds, keyedQueueIds } = completed
    const doneCount = items.length - refused.size
    items.forEach((item, i) => {
      if (!refused.has(i)) this.changes.changed(item.id)
    })
    for (const queueId of queueIds) this.#roomAfter(queueId, keyedQueueIds.includes(queueId))
    tasksCompleted.inc({ state: stateName(SUCCEEDED) }, doneCount)
    attemptsEnded.inc({ outcome: 'succeeded' }, doneCount)
    if (doneCount > 0) this.#finished()
    return this.#judge(
      items,
      (_, i) => !refused.has(i),
      () => Outcome.succeeded,
    )
  }

  async #settleAll(items: Ending[]): Promise<(Settled | undefined | Error)[]> {
    const settled = new Map(
      (await settleTasks(this.pool, items, this.lossesMax, quarantineError)).map((row) => [
        leaseId({ ...row, sessionId: row.session_id }),
        row,
      ]),
    )
    for (const item of items) {
      const row = settled.get(leaseId(item))
      if (row) this.#follow(row, item.outcome === Outcome.failed ? 'failed' : 'released')
    }
    const verdicts = await this.#judge(
      items,
      (item) => settled.has(leaseId(item)),
      (item) => item.outcome,
    )
    return items.map((item, i) => settled.get(leaseId(item)) ?? verdicts[i])
  }

  #follow(row: Settled, outcome: string): void {
    this.changes.changed(row.id)
    attemptsEnded.inc({ outcome })
    this.#roomAfter(row.queue_id, row.is_keyed)
    if (isFinished(row.state)) {
      tasksCompleted.inc({ state: stateName(row.state) })
      this.#finished()
    } else if (row.state === READY) this.#ready(row.queue_id, row.schedule_time.getTime())
    // The upkeep asks the database when exactly; 0 makes it ask now.
    else if (row.state === SCHEDULED) this.onScheduled(0)
  }

  async #storeAll(items: Progress[]): Promise<(boolean | Error)[]> {
    const stored = await storeProgress(this.pool, items)
    return items.map((item, i) => stored[i] ?? leaseLost(item))
  }

  /** For each item that the fenced write did not take: undefined if it is a repeat, else why not. */
  async #judge<T extends LeaseKey>(
    items: T[],
    isTaken: (item: T, place: number) => boolean,
    outcomeOf: (item: T) => number,
  ): Promise<(undefined | Error)[]> {
    const refused = items.filter((item, i) => !isTaken(item, i))
    if (refused.length === 0) return items.map(() => undefined)
    const verdicts = await judgeRefused(this.pool, refused, refused.map(outcomeOf))
    const verdictOf = new Map(refused.map((item, i) => [item, verdicts[i]]))
    return items.map((item) => verdictOf.get(item))
  }
}
