/** Creations of all callers, gathered into statements: the plain ones, those with unique keys, and those that must wait. */
import type pg from 'pg'
import { Batch } from './batch.ts'
import { createPatiently, createTasks, RequestIdBusy, type Created, type NewTask, type Successes } from './create.ts'
import { createUniqueTasks, type UniqueTask } from './create-unique.ts'
import type { Workers } from './hand-over.ts'
import type { Sealer } from './seal.ts'

export interface CreationOptions {
  pool: pg.Pool
  /** How long a request ID is remembered, in seconds. */
  requestWindowS: number
  sealer: Sealer
  /** Who may get tasks as they are created. */
  workers: Workers
  /** What may go with the statements that create. */
  successes: Successes
  /** Most tasks that may wait for a statement. */
  waitingMax: number
}

/** Producers that wait for one statement are back with the next tasks after a few milliseconds. */
const crowdedMs = 10
const nextInMsMax = 3
const bytesMax = 8 * 2 ** 20
/** Two calls of 1,000 go together, so that a key which both have is written once. */
const itemsMax = 2_000
/** Fewer: a batch that waits for a key that another one holds should not keep many waiting with it. */
const uniqueItemsMax = 200

export class Creations {
  /** When a statement last created for more than one caller, by performance.now(). */
  #crowdedAtMs = -Infinity
  readonly #plain: Batch<NewTask, Created>
  readonly #unique: Batch<UniqueTask, Created>
  /** Tasks whose request ID is used by a transaction that has not ended; each waits by itself. */
  readonly #patient: Batch<NewTask, Created>

  constructor({ pool, requestWindowS, sealer, workers, successes, waitingMax }: CreationOptions) {
    const bounds = { waitingMax, bytesMax, bytesOf: (item: NewTask) => item.payload?.length ?? 0 }
    this.#plain = new Batch({
      ...bounds,
      itemsMax,
      flush: (items) => {
        this.#crowdedAtMs = items.length > 1 ? performance.now() : -Infinity
        return createTasks(pool, items, requestWindowS, sealer, workers, successes)
      },
    })
    this.#unique = new Batch<UniqueTask, Created>({
      ...bounds,
      itemsMax: uniqueItemsMax,
      flush: (items) => createUniqueTasks(pool, items, requestWindowS, sealer),
    })
    this.#patient = new Batch({
      ...bounds,
      itemsMax: 1,
      flush: (items) => createPatiently(pool, items, requestWindowS, sealer),
    })
  }

  /** For how many milliseconds it is worth to wait for the next statement: none unless many create at the same time. */
  nextInMs(): number {
    return performance.now() - this.#crowdedAtMs < crowdedMs ? nextInMsMax : 0
  }

  /** Stores a task; it is durable when this resolves. */
  async create(task: NewTask): Promise<Created> {
    if (hasUniqueKey(task)) return this.#unique.add(task)
    try {
      return await this.#plain.add(task)
    } catch (error) {
      if (error instanceof RequestIdBusy) return this.#patient.add(task)
      throw error
    }
  }

  /** Stores up to 1,000 tasks and answers for each; what was stored is durable when this resolves. */
  async createAll(tasks: NewTask[]): Promise<(Created | Error)[]> {
    const plain = tasks.filter((task) => !hasUniqueKey(task))
    const [stored, unique] = await Promise.all([
      plain.length === 0 ? [] : this.#storePlain(plain),
      Promise.all(tasks.filter(hasUniqueKey).map((task) => this.#unique.add(task).catch((error: Error) => error))),
    ])
    let nextPlain = 0
    let nextUnique = 0
    return tasks.map((task) => (hasUniqueKey(task) ? unique[nextUnique++]! : stored[nextPlain++]!))
  }

  async #storePlain(tasks: NewTask[]): Promise<(Created | Error)[]> {
    const results = await this.#plain.addAll(tasks)
    if (!results.some((result) => result instanceof RequestIdBusy)) return results
    return Promise.all(
      results.map(async (result, i) =>
        result instanceof RequestIdBusy ? this.#patient.add(tasks[i]!).catch((error: Error) => error) : result,
      ),
    )
  }
}

function hasUniqueKey(task: NewTask): task is UniqueTask {
  return task.uniqueKey !== null
}
