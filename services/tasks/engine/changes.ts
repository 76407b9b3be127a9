/**
 * Who waits for a task to change. This process tells of what it changed itself; what others change is found by asking
 * for the revisions of all watched tasks at once, only while somebody watches.
 */
import type { Logger } from '@flowforge/runtime/log'
import type pg from 'pg'
import { isTaskOf } from './same-task.ts'

const pollMs = 250

interface Watched {
  project: string
  id: string
  /** Of the row as the watchers know it; undefined until first asked for. */
  revision: number | undefined
  wake: Set<() => void>
}

export class Changes {
  readonly #watched = new Map<string, Watched>()
  readonly #pool: pg.Pool
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined

  constructor(pool: pg.Pool, log: Logger) {
    this.#pool = pool
    this.#log = log
  }

  /** Calls `wake` after each change of the task, and perhaps once too often, until the returned function is called. */
  watch(project: string, id: string, wake: () => void): () => void {
    const watched = this.#watched.get(id) ?? { project, id, revision: undefined, wake: new Set() }
    watched.wake.add(wake)
    this.#watched.set(id, watched)
    this.#timer ??= setTimeout(() => void this.#poll(), pollMs)
    return () => {
      watched.wake.delete(wake)
      if (watched.wake.size === 0) this.#watched.delete(id)
    }
  }

  /** This process changed the task. */
  changed(id: string): void {
    for (const wake of this.#watched.get(id)?.wake ?? []) wake()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#watched.clear()
  }

  async #poll(): Promise<void> {
    try {
      const asked = [...this.#watched.values()]
      const revisions = await revisionsOf(this.#pool, asked)
      for (const watched of asked) {
        const revision = revisions.get(watched.id)
        if (revision !== watched.revision) for (const wake of watched.wake) wake()
        watched.revision = revision
      }
    } catch (error) {
      this.#log.warn({ err: error }, 'could not look for changes of watched tasks')
    }
    this.#timer = this.#watched.size === 0 ? undefined : setTimeout(() => void this.#poll(), pollMs)
  }
}

async function revisionsOf(pool: pg.Pool, keys: { project: string; id: string }[]): Promise<Map<string, number>> {
  const { rows } = await pool.query({
    name: 'read-revisions',
    text: `with key as (select * from unnest($1::text[], $2::uuid[]) as key(project, id))
      select task.id, revision from tasks.task join key on ${isTaskOf('key')}
      union all
      select id, revision from tasks.finished_task join key using (project, id)`,
    values: [keys.map((key) => key.project), keys.map((key) => key.id)],
  })
  return new Map(rows.map((row) => [row.id, row.revision]))
}
