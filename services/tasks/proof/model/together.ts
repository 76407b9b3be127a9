/** What the sessions of the model test share, as those of a process do: batches, and workers that wait for tasks. */
import { createLogger } from '@flowforge/runtime/log'
import type pg from 'pg'
import { Batch, type Passengers } from '../../engine/batch.ts'
import { completeTasks, type Completed, type Success } from '../../engine/complete.ts'
import { Creations } from '../../engine/creations.ts'
import { Dispatcher, type Taker } from '../../engine/dispatcher.ts'
import { leaseId, leaseLost, type LeaseKey } from '../../engine/fence.ts'
import { workersOf, type Workers } from '../../engine/hand-over.ts'
import { leaseTasks, type LeasedRow } from '../../engine/lease.ts'
import { QueueCache } from '../../engine/queue-cache.ts'
import { unsealed } from '../../engine/seal.ts'
import type { Session } from '../../engine/sessions.ts'
import { project } from './told.ts'

/** How often steps took the ways that depend on what happens at the same time. */
export class Ways {
  /** Tasks created as RUNNING; of them, those that a session got which had ended. */
  handedOver = 0
  handedToLost = 0
  /** Places that were promised for a task that was not created as RUNNING. */
  freed = 0
  /** Successes that a creating statement took along; of them, those whose lease held no longer. */
  rode = 0
  rodeRefused = 0
  /** Successes that waited again because the database refused the statement. */
  gaveBack = 0
}

const requestWindowS = 86_400
const bounds = { itemsMax: 1_000, waitingMax: 50_000 }

export class Together {
  readonly creations: Creations
  /** Refuses those whose lease held no longer. */
  readonly successes: Batch<Success, void>
  readonly dispatcher: Dispatcher
  /** What should not have happened to a worker that waits. */
  readonly wrongs: string[] = []
  readonly #queues: QueueCache
  readonly #onLeased: (row: LeasedRow) => void
  /** With the leases that each of them has. */
  readonly #takers = new Map<Taker, Set<string>>()
  /** By session the end of its stream, while it lasts. */
  readonly #ending = new Map<bigint, Promise<void>>()

  constructor(pool: pg.Pool, ways: Ways, onLeased: (row: LeasedRow) => void) {
    this.#onLeased = onLeased
    const giveBack = (leases: object[]) => {
      // Streams wait for statements in flight before they go, and no connection breaks here.
      this.wrongs.push(`${leases.length} leases reached nobody`)
    }
    this.#queues = new QueueCache(pool)
    this.dispatcher = new Dispatcher({
      lease: (queueId, types, slots) => leaseTasks(pool, queueId, types, slots),
      queueById: (queueId) => this.#queues.byId(queueId),
      giveBack,
      log: createLogger('tasks', 'error'),
    })
    this.successes = new Batch({
      ...bounds,
      flush: async (items) => answersTo(items, await completeTasks(pool, items)),
      holdMs: () => this.creations.nextInMs(),
    })
    this.creations = new Creations({
      pool,
      requestWindowS,
      sealer: unsealed,
      workers: counted(workersOf(this.dispatcher, this.#queues), ways),
      successes: {
        passengers: () => counting(this.successes.passengers(), ways),
        written: (passengers, completed) => {
          ways.rode += passengers.items.length
          ways.rodeRefused += completed.refused.size
          passengers.settle(answersTo(passengers.items, completed))
        },
      },
      waitingMax: bounds.waitingMax,
    })
  }

  /** A worker of this session waits for tasks of all queues; what waits for it is leased, and it keeps what is left of its room. */
  async wait(session: Session, room: number, types: string[], queueIds: number[]): Promise<void> {
    for (const id of queueIds) await this.#queues.byId(id)
    const serving = () => this.#takers.keys().find(({ sessionId }) => sessionId === session.id)
    // Other steps may come in between: a session has one stream at a time, and the next when that has gone.
    for (let before = serving(); before || this.#ending.has(session.id); before = serving())
      await (before ? this.#remove(before) : this.#ending.get(session.id))
    const held = new Set<string>()
    const taker: Taker = {
      sessionId: session.id,
      worker: 'waiting',
      project,
      queues: new Set(),
      types,
      room,
      isSilent: () => false,
      leaseMs: null,
      give: (rows) => {
        for (const row of rows) held.add(leaseId({ ...row, sessionId: row.session_id! }))
        if (held.size > room) this.wrongs.push(`session ${session.id} has ${held.size} tasks, and room for ${room}`)
        for (const row of rows) this.#onLeased(row)
      },
      doubt: () => undefined,
    }
    this.#takers.set(taker, held)
    this.dispatcher.add(taker)
    await this.lookInto(queueIds)
  }

  /** Something may be READY in these queues: resolves once workers that wait have got what they can. */
  async lookInto(queueIds: number[]): Promise<void> {
    this.dispatcher.mark(queueIds)
    await this.dispatcher.idle()
  }

  /** The worker runs this no longer, and has its place free. */
  ended(lease: LeaseKey): void {
    for (const [taker, held] of this.#takers) if (held.delete(leaseId(lease))) taker.room++
    this.dispatcher.roomChanged()
  }

  /** The stream of this session ends. */
  async leave(sessionId: bigint): Promise<void> {
    for (const taker of this.#takers.keys()) if (taker.sessionId === sessionId) await this.#remove(taker)
  }

  /** All streams end; throws if a place that was promised has not been given back. */
  async stop(): Promise<void> {
    await this.dispatcher.stop()
    for (const taker of this.#takers.keys()) await this.#remove(taker)
  }

  async #remove(taker: Taker): Promise<void> {
    this.#takers.delete(taker)
    const ended = this.#end(taker).finally(() => this.#ending.delete(taker.sessionId))
    this.#ending.set(taker.sessionId, ended)
    await ended
  }

  async #end(taker: Taker): Promise<void> {
    const { promise: never, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => reject(new Error('a place stayed promised after all statements had ended')), 20_000)
    await Promise.race([this.dispatcher.remove(taker), never]).finally(() => clearTimeout(timer))
  }
}

function answersTo(items: Success[], { refused }: Completed): (void | Error)[] {
  return items.map((item, i) => (refused.has(i) ? leaseLost(item) : undefined))
}

function counted(workers: Workers, ways: Ways): Workers {
  return {
    ...workers,
    free: (taker) => {
      ways.freed++
      workers.free(taker)
    },
  }
}

function counting(
  passengers: Passengers<Success, void> | undefined,
  ways: Ways,
): Passengers<Success, void> | undefined {
  return (
    passengers && {
      ...passengers,
      giveBack: () => {
        ways.gaveBack += passengers.items.length
        passengers.giveBack()
      },
    }
  )
}
