/**
 * Brings READY tasks to workers with room for them.
 *
 * Takers (a worker's stream, or one waiting LeaseTasks call) register here. Queues are marked when something may be
 * READY in them: by this process, by a wake-up of another, or by the slow poll. While there is a marked queue and a
 * taker for it, one statement at a time leases for all takers of that queue; meanwhile more room gathers.
 *
 * A task that is created in this process while nothing waits before it needs no such statement: it is created as a
 * taker's (`reserve`, then `handOver` or `free`).
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
  /** Called when a statement failed that may have leased for it all the same: nobody knows what else it holds. */
  doubt: () => void
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
  /** By queue the types, as `typesOf` names them, of which the last statement took less than it could: what is created of them now waits behind nothing. */
  readonly #emptied = new Map<number, Set<string>>()
  /** Takers that are to be removed. */
  readonly #leaving = new Set<Taker>()
  /** Takers that get what statements in flight lease for them, and nothing more until those have ended. */
  readonly #resting = new Map<Taker, Promise<void>>()
  /** Places that statements in flight may fill. */
  readonly #promised = new Map<Taker, number>()
  #onFreed: (() => void)[] = []
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
    this.#leaving.add(taker)
    await this.settled(taker)
    this.#leaving.delete(taker)
    if (this.#takers.get(taker.sessionId) === taker) this.#takers.delete(taker.sessionId)
  }

  /** Resolves once the taker has got all that statements lease for it that are in flight; it gets nothing else meanwhile. */
  settled(taker: Taker): Promise<void> {
    let rest = this.#resting.get(taker)
    if (!rest) {
      rest = this.#rest(taker)
      this.#resting.set(taker, rest)
    }
    return rest
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

  /** The queue may give now what it held back, a pause having ended: it is not known to be empty any more. */
  changed(queueId: number): void {
    this.#emptied.delete(queueId)
  }

  /**
   * A worker's stream with a place for a task that is about to be created, if nothing is known to wait before it. The
   * place is promised until `handOver` or `free` is called.
   */
  reserve(queue: { id: number; project: string; name: string }, type: string): Taker | undefined {
    const emptied = this.#emptied.get(queue.id)
    if (!emptied || this.#isStopped) return undefined
    for (const taker of this.#takers.values()) {
      if (taker.leaseMs !== null || this.#freeOf(taker) <= 0 || taker.isSilent()) continue
      if (!takes(taker, queue) || !runs(taker, type) || !emptied.has(typesOf(taker))) continue
      this.#promise(taker, 1)
      // Next time it is the others' turn.
      this.#takers.delete(taker.sessionId)
      this.#takers.set(taker.sessionId, taker)
      return taker
    }
    // The task waits, and what is created after it has to wait behind it.
    this.#emptied.delete(queue.id)
    return undefined
  }

  /** The task for which a place was reserved was not created as the taker's. */
  free(taker: Taker): void {
    this.#promise(taker, -1)
    if (taker.room > 0) this.#run()
  }

  /** Tasks of one queue were created as those of the takers that had been reserved for them. */
  handOver(created: { taker: Taker; row: LeasedRow }[]): void {
    for (const { taker } of created) this.#promise(taker, -1)
    this.#hand(created.map(({ row }) => row))
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
        // Of a queue that was empty a moment ago half of the places are left to tasks that are created meanwhile.
        const share = this.#emptied.get(queueId)?.has(typesOf(takers[0]!)) ? 0.5 : 1
        const slots = slotsOf(takers, (taker) => Math.ceil(this.#freeOf(taker) * share))
        const rows = slots.length === 0 ? [] : await this.#lease(queueId, takers, slots)
        // As many as asked for: there may be more, also for takers that have no room at the moment.
        if (rows.length === slots.length) this.#marked.add(queueId)
        this.#setEmptied(queueId, typesOf(takers[0]!), rows.length < slots.length)
        if (rows.length > 0) this.#isChanged = true
      }
    } catch (error) {
      this.#marked.add(queueId)
      throw error
    }
  }

  #setEmptied(queueId: number, types: string, isEmptied: boolean): void {
    const emptied = this.#emptied.get(queueId)
    if (!isEmptied) emptied?.delete(types)
    else if (emptied) emptied.add(types)
    else this.#emptied.set(queueId, new Set([types]))
  }

  /** Takers for the queue, grouped by the types that they can run: each group is served by one statement. */
  #groupsFor(queue: { project: string; name: string }): Taker[][] {
    const wanting = [...this.#takers.values()].filter((taker) => takes(taker, queue))
    return shuffled([...Map.groupBy(wanting, typesOf).values()])
  }

  async #lease(queueId: number, takers: Taker[], slots: Slot[]): Promise<LeasedRow[]> {
    const { types } = takers[0]!
    const asked = new Map<bigint, number>()
    for (const { sessionId } of slots) asked.set(sessionId, (asked.get(sessionId) ?? 0) + 1)
    const promise = (sign: number) => {
      for (const taker of takers) this.#promise(taker, sign * (asked.get(taker.sessionId) ?? 0))
    }
    promise(1)
    const statement = this.#options
      .lease(queueId, types.length === 0 ? null : types, slots)
      .finally(() => promise(-1))
      .then(
        (rows) => {
          this.#hand(rows)
          return rows
        },
        (error) => {
          for (const taker of takers) taker.doubt()
          throw error
        },
      )
    this.#statement = statement
    return statement
  }

  /** Counts places that a statement may fill; nobody else may have them until it has ended. */
  #promise(taker: Taker, change: number): void {
    const promised = (this.#promised.get(taker) ?? 0) + change
    if (promised > 0) this.#promised.set(taker, promised)
    else this.#promised.delete(taker)
    if (promised <= 0) for (const freed of this.#onFreed.splice(0)) freed()
  }

  async #rest(taker: Taker): Promise<void> {
    await this.#statement.catch(() => undefined)
    while (this.#promised.has(taker)) await new Promise<void>((resolve) => this.#onFreed.push(resolve))
    this.#resting.delete(taker)
    if (taker.room > 0) this.#run()
  }

  #freeOf(taker: Taker): number {
    const isHere = this.#takers.get(taker.sessionId) === taker
    if (!isHere || this.#resting.has(taker) || this.#leaving.has(taker)) return 0
    return taker.room - (this.#promised.get(taker) ?? 0)
  }

  #hand(rows: LeasedRow[]): void {
    const bySession = Map.groupBy(rows, (row) => row.session_id!)
    for (const [sessionId, leased] of bySession) {
      const taker = this.#takers.get(BigInt(sessionId))
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

/** The types that the taker runs as one string. */
function typesOf({ types }: Taker): string {
  return types.join(' ')
}

function runs({ types }: Taker, type: string): boolean {
  return types.length === 0 || types.includes(type)
}

/** One slot for each free place, dealt round by round so that every taker gets its share of a short supply. */
function slotsOf(takers: Taker[], freeOf: (taker: Taker) => number): Slot[] {
  const slots: Slot[] = []
  const order = shuffled(takers.filter((taker) => !taker.isSilent()))
  const free = order.map(freeOf)
  for (let round = 0; slots.length < slotsMax; round++) {
    const before = slots.length
    for (const [i, { sessionId, worker, leaseMs }] of order.entries())
      if (free[i]! > round && slots.length < slotsMax) slots.push({ sessionId, worker, leaseMs })
    if (slots.length === before) break
  }
  return slots
}
