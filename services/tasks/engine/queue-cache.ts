/** Queues by name and by id, with what decides how they are leased from. */
import { resourceExhausted } from '@flowforge/runtime/status'
import type pg from 'pg'

const queuesPerProjectMax = 1000
const cacheMax = 100_000
/** What other processes changed is known after this long even if no message came. */
const freshMs = 5_000

export interface QueueSettings {
  id: number
  project: string
  name: string
  /** False if the queue has limits or fairness keys: tasks.lease_steered serves it. */
  isPlain: boolean
  /** True if its tasks get fair ranks. */
  isFair: boolean
  ratePerS: number | null
  loadedMs: number
}

export class QueueCache {
  readonly #ids = new Map<string, number>()
  readonly #settings = new Map<number, QueueSettings>()
  /** Who asks for the same queue meanwhile gets the same answer, and in the order of asking. */
  readonly #making = new Map<string, Promise<QueueSettings>>()
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** The queue; it is made on first use, up to 1,000 in a project. */
  make(project: string, name: string): Promise<QueueSettings> {
    const key = `${project}/${name}`
    const known = this.#making.get(key)
    if (known) return known
    const made = this.find(project, name)
      .then((found) => found ?? this.#make(project, name))
      .finally(() => this.#making.delete(key))
    this.#making.set(key, made)
    return made
  }

  /** The queue, or undefined if there is none of that name. */
  async find(project: string, name: string): Promise<QueueSettings | undefined> {
    const known = this.#settings.get(this.#ids.get(`${project}/${name}`) ?? -1)
    if (known && isFresh(known)) return known
    return this.#load('project = $1 and name = $2', [project, name])
  }

  /** The queue of that id; it must exist, as that of any task does. */
  async byId(id: number): Promise<QueueSettings> {
    const known = this.#settings.get(id)
    return known && isFresh(known) ? known : (await this.#load('id = $1', [id]))!
  }

  /** What is known of the queue without asking. */
  known(id: number): QueueSettings | undefined {
    return this.#settings.get(id)
  }

  /** The queue was changed. */
  forget(id: number): void {
    this.#settings.delete(id)
  }

  async #make(project: string, name: string): Promise<QueueSettings> {
    await this.#pool.query({
      name: 'make-queue',
      text: `insert into tasks.queue (project, name)
        select $1::text, $2::text
        where (select count(*) from (select from tasks.queue where project = $1 limit ${queuesPerProjectMax}) as known) < ${queuesPerProjectMax}
        on conflict do nothing`,
      values: [project, name],
    })
    const made = await this.find(project, name)
    if (made) return made
    throw resourceExhausted(
      'TOO_MANY_QUEUES',
      `projects/${project} has ${queuesPerProjectMax} queues, the most there may be`,
    )
  }

  async #load(where: string, values: unknown[]): Promise<QueueSettings | undefined> {
    const { rows } = await this.#pool.query({
      name: `load-queue ${where}`,
      text: `select id, project, name, is_plain, is_fair, rate_per_s from tasks.queue where ${where}`,
      values,
    })
    const row = rows[0]
    if (!row) return undefined
    if (this.#settings.size >= cacheMax) {
      this.#ids.clear()
      this.#settings.clear()
    }
    const { id, project, name } = row
    const settings = {
      id,
      project,
      name,
      isPlain: row.is_plain,
      isFair: row.is_fair,
      ratePerS: row.rate_per_s,
      loadedMs: performance.now(),
    }
    this.#ids.set(`${project}/${name}`, id)
    this.#settings.set(id, settings)
    return settings
  }
}

function isFresh(settings: QueueSettings): boolean {
  return performance.now() - settings.loadedMs < freshMs
}
