/** Listing a project's tasks, both halves merged, by id: ids are UUIDs of version 7, so their order is that of creation. */
import type pg from 'pg'
import type { TaskRow } from '../tables.ts'
import type { Condition } from './filter.ts'
import { coldColumns, hotColumns } from './read.ts'
import { CANCELLED, DEAD, READY, RUNNING, SCHEDULED, SUCCEEDED } from './states.ts'

export interface Listing {
  project: string
  condition: Condition | undefined
  isDescending: boolean
  /** The last id of the page before. */
  after: string | undefined
  limit: number
}

export async function listTasks(
  pool: pg.Pool,
  { project, condition, isDescending, after, limit }: Listing,
): Promise<TaskRow[]> {
  const values = [...(condition?.values ?? [])]
  const parameter = (value: unknown) => `$${values.push(value)}`
  const direction = isDescending ? 'desc' : 'asc'
  const where = [`project = ${parameter(project)}`]
  if (after) where.push(`id ${isDescending ? '<' : '>'} ${parameter(after)}::uuid`)
  if (condition) where.push(condition.sql)
  const page = (columns: string, table: string) =>
    `(select ${columns} from ${table} where ${where.join(' and ')} order by project ${direction}, id ${direction} limit ${limit})`
  // Each half gives a page by its own index, unless the filter asks for states that it never has; the two are merged.
  const states = condition?.states
  const pages = [
    ...(!states || [SCHEDULED, READY, RUNNING].some((state) => states.has(state))
      ? [page(hotColumns, 'tasks.task')]
      : []),
    ...(!states || [SUCCEEDED, CANCELLED, DEAD].some((state) => states.has(state))
      ? [page(coldColumns, 'tasks.finished_task')]
      : []),
  ]
  if (pages.length === 0) return []
  const { rows } = await pool.query<TaskRow>({
    text: `select * from (${pages.join(' union all ')}) as page order by id ${direction} limit ${limit}`,
    values,
  })
  return rows
}
