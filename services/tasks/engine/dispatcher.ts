/**
 * Brings READY tasks to workers with room for them.
 *
 * Takers (a worker's stream, or one waiting LeaseTasks call) register here. Queues are marked when something may be
 * READY in them: by this process, by a wake-up of another, or by the slow poll. While there is a marked queue and a
 * taker for it, one statement at a time leases for all takers of that queue; meanwhile more room gathers.
 */
import type { Logger } from '@flowforge/runtime/log'
import { shuffled } from './shuffled.ts'
import type { LeasedRow, Slot } from './lease.ts'

/** Somebody who takes leases. */
export interface Taker {
  sessionId: bigint
  worker: string
  /** Of one project, or of all if undefined. */
  project: string | undefined
  /** Names of queues, or all if empty. */
  queues: Set<string>
  /** Sorted; all if empty. */
  types: string[]
  /** How many more tasks it takes now. */
  room: number
  /** True while it is not known to live: it gets nothing, for its leases would only be lost. */
  isSilent: () => boolean
  /** See Slot. */
  leaseMs: number | null
  /** Receives leases; called only with at least one, and never with more than there was room for. */
  give: (rows: LeasedRow[]) => void
}

export interface DispatcherOptions {
  lease: (queueId: number, types: string[] | null, slots: Slot[]) => Promise<LeasedRow[]>
  queueById: (queueId: number) => Promise<{ project: string; name: string }>
  /** Gives back what was leased for a taker that has gone meanwhile. */
  giveBack: (rows: LeasedRow[]) => void
  log: Logger
}

/** Most leases in one statement. */
const slotsMax = 500
const retryMs = 500

export class Dispatcher {
  readonly #takers = new Map<bigint, Taker>()
  /** Queues in which something may be READY. */
  readonly #marked = new Set<number>()
  readonly #options: DispatcherOptions
  #running: Promise<void> | undefined
  /** The lease statement in flight, or the last one. */
  #statement: Promise<unknown> = Promise.resolve()
  #retryTimer: NodeJS.Timeout | undefined
  /** A queue was marked, or a taker has room, since the last round began. */
  #isChanged = false
  #isStopped = false

  constructor(options: DispatcherOptions) {
    this.#options = options
  }

  /** Registers a taker; the poll or a mark will find what is READY for it. */
  add(taker: Taker): void {
    this.#takers.set(taker.sessionId, taker)
    this.#run()
  }

  /** Gives this taker nothing more; resolves once no statement in flight can hold leases for it. */
  async remove(taker: Taker): Promise<void> {
    taker.room = 0
    await this.#statement.catch(() => undefined)
    if (this.#takers.get(taker.sessionId) === taker) this.#takers.delete(taker.sessionId)
  }

  /** Resolves when nothing more can be handed out at the moment. */
  async idle(): Promise<void> {
    await this.#running
  }

  /** Something may be READY in these queues. */
  mark(queueIds: Iterable<number>): void {
    for (const queueId of queueIds) this.#marked.add(queueId)
    this.#run()
  }

  /** A taker has room again. */
  roomChanged(): void {
    this.#run()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#retryTimer)
    await this.#running
  }

  #run(): void {
    this.#isChanged = true
    if (this.#running || this.#isStopped || this.#marked.size === 0 || this.#takers.size === 0) return
    this.#running = this.#dispatch()
      .catch((error) => {
        this.#options.log.warn({ err: error }, 'could not lease tasks; trying again')
        this.#retryTimer = setTimeout(() => this.#run(), retryMs)
      })
      .finally(() => {
        this.#running = undefined
      })
  }

  async #dispatch(): Promise<void> {
    // Until a whole round found nothing to hand out and nothing happened meanwhile.
    while (this.#isChanged && !this.#isStopped) {
      this.#isChanged = false
      for (const queueId of shuffled([...this.#marked])) await this.#serve(queueId)
    }
  }

  async #serve(queueId: number): Promise<void> {
    const queue = await this.#options.queueById(queueId)
    // Unmarked before the statement: what becomes READY meanwhile marks the queue again.
    this.#marked.delete(queueId)
    try {
      for (const takers of this.#groupsFor(queue)) {
        const slots = slotsOf(takers)
        const rows = slots.length === 0 ? [] : await this.#lease(queueId, takers[0]!.types, slots)
        // As many as asked for: there may be more, also for takers that have no room at the moment.
        if (rows.length === slots.length) this.#marked.add(queueId)
        if (rows.length > 0) this.#isChanged = true
      }
    } catch (error) {
      this.#marked.add(queueId)
      throw error
    }
  }

  /** Takers for the queue, grouped by the types that they can run: each group is served by one statement. */
  #groupsFor(queue: { project: string; name: string }): Taker[][] {
    const wanting = [...this.#takers.values()].filter((taker) => takes(taker, queue))
    return shuffled([...Map.groupBy(wanting, (taker) => taker.types.join(' ')).values()])
  }

  async #lease(queueId: number, types: string[], slots: Slot[]): Promise<LeasedRow[]> {
    const statement = this.#options.lease(queueId, types.length === 0 ? null : types, slots).then((rows) => {
      this.#hand(rows)
      return rows
    })
    this.#statement = statement
    return statement
  }

  #hand(rows: LeasedRow[]): void {
    const bySession = Map.groupBy(rows, (row) => BigInt(row.session_id!))
    for (const [sessionId, leased] of bySession) {
      const taker = this.#takers.get(sessionId)
      if (!taker) {
        this.#options.giveBack(leased)
        continue
      }
      taker.room = Math.max(0, taker.room - leased.length)
      taker.give(leased)
    }
  }
}

function takes(taker: Taker, queue: { project: string; name: string }): boolean {
  return (
    (taker.project === undefined || taker.project === queue.project) &&
    (taker.queues.size === 0 || taker.queues.has(queue.name))
  )
}

/** One slot for each free place, dealt round by round so that every taker gets its share of a short supply. */
function slotsOf(takers: Taker[]): Slot[] {
  const slots: Slot[] = []
  const order = shuffled(takers.filter((taker) => !taker.isSilent()))
  for (let round = 0; slots.length < slotsMax; round++) {
    const before = slots.length
    for (const { room, sessionId, worker, leaseMs } of order)
      if (room > round && slots.length < slotsMax) slots.push({ sessionId, worker, leaseMs })
    if (slots.length === before) break
  }
  return slots
}
