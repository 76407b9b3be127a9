/**
 * Where a lease begins to look. What was leased leaves dead entries at the front of the index of READY tasks, and while
 * somebody holds a snapshot open none of them can be cleared away: looking from the front, each lease would walk over all
 * that ran since. So this process remembers up to where it has leased, and begins there until it hears of a task before.
 *
 * Plain queues only: in them the order is (rank, schedule time, id).
 */
import type { PlainLeasedRow } from './lease.ts'

/** A part of a queue's order: from (rank `first`, schedule time `sinceMs`) on, up to the end of the rank `last`. */
export interface Stretch {
  first: number
  /** Milliseconds since the epoch, or -Infinity. */
  sinceMs: number
  last: number
}

/** Of aged tasks, which come there in any order: always looked at from the beginning. */
const rankMin = -32_768
const rankMax = 32_767

/** All of a queue. */
export const everything: Stretch[] = [{ first: rankMin, sinceMs: -Infinity, last: rankMax }]

/** A look at everything is cheap below this, and a millisecond more for each task that it leased. */
const cheapMs = 5
/** Dear ones, if nobody knows of a task, take at most this part of the time. */
const shareMax = 0.05
/** What is created now, and committed this much later at most, is found without looking at everything. */
const recentMs = 10_000

/** The starts of all queues. A queue's leases must come one after the other. */
export class ScanStarts {
  readonly #queues = new Map<number, Map<string, QueueStarts>>()

  /** A task became READY, waiting since then; -Infinity if it may be any. */
  lower(queueId: number, sinceMs: number): void {
    for (const starts of this.#queues.get(queueId)?.values() ?? []) starts.lower(sinceMs)
  }

  /** Something may be READY that nobody told of: the next lease looks at the last seconds, and soon one at everything. */
  doubt(queueId: number): void {
    for (const starts of this.#queues.get(queueId)?.values() ?? []) starts.doubt()
  }

  /** Runs a lease of up to `asked` tasks of these types where there may be any. */
  scan(
    queueId: number,
    types: string[] | null,
    asked: number,
    lease: (stretches: Stretch[]) => Promise<PlainLeasedRow[]>,
  ): Promise<PlainLeasedRow[]> {
    // What workers of other types have passed over still waits.
    const byTypes = this.#queues.get(queueId) ?? new Map<string, QueueStarts>()
    this.#queues.set(queueId, byTypes)
    const key = types?.join(' ') ?? ''
    const starts = byTypes.get(key) ?? new QueueStarts()
    byTypes.set(key, starts)
    return starts.scan(asked, lease)
  }
}

class QueueStarts {
  /** By rank: nothing unheard of waits before. A rank that is not in it is looked at from its beginning. */
  readonly #starts = new Map<number, number>()
  /** By rank: the schedule time of the latest task that was leased. */
  readonly #reached = new Map<number, number>()
  /** Heard of since the last scan began. */
  #loweredMs = Infinity
  #isRecentDoubted = false
  #isDoubted = false
  #wholeEndedMs = 0
  #wholeTookMs = 0

  lower(sinceMs: number): void {
    this.#loweredMs = Math.min(this.#loweredMs, sinceMs)
  }

  doubt(): void {
    this.#isDoubted = true
    this.#isRecentDoubted = true
  }

  async scan(asked: number, lease: (stretches: Stretch[]) => Promise<PlainLeasedRow[]>): Promise<PlainLeasedRow[]> {
    this.#begin()
    const isWhole = this.#starts.size === 0
    const beganMs = performance.now()
    const rows = await lease(this.#stretches())
    if (isWhole) {
      this.#wholeEndedMs = performance.now()
      const tookMs = this.#wholeEndedMs - beganMs
      this.#wholeTookMs = tookMs > cheapMs + rows.length ? tookMs : 0
    }
    this.#end(rows, rows.length >= asked ? rows.at(-1) : undefined)
    return rows
  }

  #begin(): void {
    const mayLookAtAll = performance.now() - this.#wholeEndedMs >= this.#wholeTookMs / shareMax
    if (this.#loweredMs === -Infinity || (this.#isDoubted && mayLookAtAll)) {
      this.#starts.clear()
      this.#isDoubted = false
    }
    for (const [rank, startMs] of this.#starts) {
      const doubtedMs = this.#isRecentDoubted ? this.#reached.get(rank)! - recentMs : Infinity
      this.#starts.set(rank, Math.min(startMs, this.#loweredMs, doubtedMs))
    }
    this.#loweredMs = Infinity
    this.#isRecentDoubted = false
  }

  #stretches(): Stretch[] {
    const stretches = [...everything]
    for (const [rank, sinceMs] of [...this.#starts].sort(([a], [b]) => a - b)) {
      stretches.push({ ...stretches.pop()!, last: rank - 1 }, { first: rank, sinceMs, last: rankMax })
    }
    return stretches
  }

  /** @param last Where the scan stopped; undefined if it came to the end. */
  #end(rows: PlainLeasedRow[], last: PlainLeasedRow | undefined): void {
    for (const { rank_priority, schedule_time } of rows)
      if (rank_priority > rankMin)
        this.#reached.set(
          rank_priority,
          Math.max(this.#reached.get(rank_priority) ?? -Infinity, schedule_time.getTime()),
        )
    for (const [rank, reachedMs] of this.#reached) {
      if (!last || rank < last.rank_priority) this.#starts.set(rank, reachedMs)
      else if (rank === last.rank_priority) this.#starts.set(rank, last.schedule_time.getTime())
    }
  }
}
