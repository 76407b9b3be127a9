/**
 * One verb for all tasks that a filter finds.
 *
 * Tasks are gone through by id in chunks, each one statement of bounded length whatever the filter: it looks at up to
 * 10,000 tasks and changes up to 1,000 of them. So locks are short, and what could not be done in time is done by
 * calling again.
 */
import { isConflict, isUniqueViolation } from '@flowforge/runtime/sqlstate'
import type pg from 'pg'
import type { Condition } from './filter.ts'

const changesMax = 1000
const looksMax = 10_000
const firstId = '00000000-0000-0000-0000-000000000000'

/** Which tasks, and until when to work on them. */
export interface Selection {
  project: string
  condition: Condition
  /** By performance.now(). */
  until: number
  signal: AbortSignal
}

export interface BulkResult {
  count: number
  /** False if time ran out before all were found. */
  isComplete: boolean
}

/** A part of the tasks that a verb can act on: a table, and the SQL condition of the verb itself. */
export interface Half {
  table: 'tasks.task' | 'tasks.finished_task'
  where: string
}

/** The beginning of every chunk's statement, and what else it is made of. */
export interface Chunk {
  /** CTEs `target`, whose `id`s are to be changed, and `chunk`, whose `next` is null if there are no more. */
  ctes: string
  /** True for the tasks of a CTE such as `target` that still are what was found: what is locked is tested again. */
  isStill: (among: string) => string
  values: unknown[]
  /** Adds a value and answers with its placeholder. */
  parameter: (value: unknown) => string
}

/** What a chunk's statement answers with, in its only row. */
export interface ChunkRow {
  count: number
  next: string | null
}

/** Runs a verb's statement chunk by chunk over the halves, until all are done or time is up. */
export async function inChunks<Row extends ChunkRow>(
  pool: pg.Pool,
  { project, condition, until, signal }: Selection,
  halves: Half[],
  statement: (chunk: Chunk, half: Half) => string,
  follow: (row: Row) => void | Promise<void> = () => undefined,
): Promise<BulkResult> {
  let count = 0
  for (const half of halves) {
    let after: string | null = firstId
    while (after !== null) {
      if (signal.aborted || performance.now() >= until) return { count, isComplete: false }
      const chunk = chunkOf(project, condition, half, after)
      const text = statement(chunk, half)
      const { rows } = await retryConflict(() => pool.query<Row>({ text, values: chunk.values }))
      const row = rows[0]!
      count += row.count
      after = row.next
      await follow(row)
    }
  }
  return { count, isComplete: true }
}

/** Counts what a verb would change. */
export function countInChunks(pool: pg.Pool, selection: Selection, halves: Half[]): Promise<BulkResult> {
  return inChunks(
    pool,
    selection,
    halves,
    ({ ctes }) => `with ${ctes} select (select count(*)::integer from target) as count, next from chunk`,
  )
}

function chunkOf(project: string, condition: Condition, { table, where }: Half, after: string): Chunk {
  const values = [...condition.values]
  const parameter = (value: unknown) => `$${values.push(value)}`
  const inProject = `project = ${parameter(project)}`
  // As an array they can only be looked up by index: joined, the planner may go through all tasks for each of them.
  const isStill = (among: string) =>
    `${inProject} and id = any((select array_agg(id) from ${among})::uuid[]) and ${where} and ${condition.sql}`
  const rest = `from ${table} where ${inProject} and id > ${parameter(after)}::uuid and ${where} order by project, id`
  const ctes = `
    target as materialized (
      select id, queue_id, unique_key from (
        select id, queue_id, unique_key, ${condition.sql} as is_found ${rest} limit ${looksMax}) as looked_at
      where is_found order by id limit ${changesMax}
    ), chunk as (
      select case when (select count(*) from target) = ${changesMax} then (select id from target order by id desc limit 1)
                  else (select id ${rest} offset ${looksMax - 1} limit 1) end as next
    )`
  return { ctes, isStill, values, parameter }
}

async function retryConflict<T>(write: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write()
    } catch (error) {
      // Another task got the same unique key meanwhile: the statement finds it when it runs again.
      if (attempt === 5 || !(isConflict(error) || isUniqueViolation(error))) throw error
    }
  }
}
