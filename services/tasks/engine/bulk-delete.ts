/** Deleting many tasks: engine/delete.ts for a chunk. */
import type pg from 'pg'
import { inChunks, type BulkResult, type ChunkRow, type Half, type Selection } from './bulk.ts'

/** What does not run. */
export const deletable: Half[] = [
  { table: 'tasks.task', where: 'state < 3' },
  { table: 'tasks.finished_task', where: 'true' },
]

/** @param follow Called after each chunk with the ids that it deleted. */
export function bulkDelete(pool: pg.Pool, selection: Selection, follow: (ids: string[]) => void): Promise<BulkResult> {
  return inChunks<ChunkRow & { ids: string[] }>(
    pool,
    selection,
    deletable,
    ({ ctes, isStill }, { table }) => `
with ${ctes}, gone as (
  delete from ${table} where ${isStill('target')} returning id
)
select next, (select count(*)::integer from gone) as count, (select coalesce(array_agg(id::text), '{}') from gone) as ids from chunk`,
    ({ ids }) => follow(ids),
  )
}
