/** Decides a run: the promises by the histories and the database, the bounds by what was measured. */
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { quantile } from '@flowforge/load/report/statistics'
import { DEAD, Outcome, SUCCEEDED } from '@flowforge/tasks/engine/states'
import { checkHistories } from '@flowforge/tasks/proof/history/check'
import { readHistories, type HistoryEvent } from '@flowforge/tasks/proof/history/events'
import { readStored, type Stored } from '@flowforge/tasks/proof/history/stored'
import pg from 'pg'

/** What the promises say about a run, and the figures that explain it. */
export interface Judgement {
  /** One line for each broken promise. */
  violations: string[]
  /** Attempts whose worker was given up. */
  lostAttempts: number
  /** When the first of them was, in milliseconds since the epoch of the database's clock. */
  firstLossAt: number | undefined
  /** Outcomes that came from a worker after its task had been given to another, and were refused. */
  refusedOutcomes: number
  finishedAt: number[]
  tasks: number
  dead: number
}

const violationsMax = 20

/**
 * Reads what everybody was told and what is stored, and compares the two. Pods that are killed leave no history behind:
 * without those of workers it looks at this run's tasks only, and at what the database says of their attempts.
 */
export async function judge(databaseUrl: string, histories: string, { hasWorkers = true } = {}): Promise<Judgement> {
  const told = readHistories(globSync(join(histories, '*.ndjson')))
  const created = new Set(told.map(({ task }) => task))
  const stored = (await readStored(databaseUrl, 'default')).filter(({ task }) => hasWorkers || created.has(task))
  const lost = stored.flatMap(({ attempts }) => attempts.filter(({ outcome }) => outcome === Outcome.lost))
  return {
    violations: [
      ...checkHistories(told, stored, { isComplete: hasWorkers }),
      ...unfinished(stored),
      ...(await unfair(databaseUrl)),
    ].slice(0, violationsMax),
    lostAttempts: lost.length,
    firstLossAt: lost.length > 0 ? Math.min(...lost.map(({ finish }) => finish)) : undefined,
    refusedOutcomes: told.filter((one) => one.kind === 'outcome' && one.verdict === 'refused').length,
    finishedAt: hasWorkers
      ? told.filter(isSuccess).map(({ time }) => Date.parse(time))
      : await storedFinishes(databaseUrl),
    tasks: stored.length,
    dead: stored.filter(({ state }) => state === DEAD).length,
  }
}

function isSuccess(event: HistoryEvent): boolean {
  return event.kind === 'outcome' && event.outcome === 'succeeded' && event.verdict === 'accepted'
}

/** When tasks finished, by the database's clock. */
async function storedFinishes(databaseUrl: string): Promise<number[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query<{ at: number }>(
      'select extract(epoch from finish_time)::float8 * 1000 as at from tasks.finished_task where state = $1',
      [SUCCEEDED],
    )
    return rows.map(({ at }) => at)
  } finally {
    await client.end()
  }
}

function unfinished(stored: Stored[]): string[] {
  const left = stored.filter(({ half }) => half === 'hot').length
  return left > 0 ? [`${left} tasks had not finished at the end`] : []
}

/** The small tenant must not wait longer than the large one does, whose tasks are four times as many. */
async function unfair(databaseUrl: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query<{ key: string; wait: number }>(
      `select fairness_key as key, extract(epoch from start_time - create_time)::float8 * 1000 as wait
         from tasks.finished_task where fairness_key is not null and concurrency_key is null and start_time is not null`,
    )
    const median = (wanted: string) => {
      const waits = rows.flatMap(({ key, wait }) => (key === wanted ? [wait] : [])).sort((a, b) => a - b)
      return waits.length === 0 ? 0 : quantile(waits, 0.5)
    }
    const [small, large] = [median('small'), median('large')]
    if (small <= large * 1.5 + 250) return []
    return [`the small tenant waited ${Math.round(small)} ms in the median, the large one ${Math.round(large)} ms`]
  } finally {
    await client.end()
  }
}
