import type { CallContext } from '@flowforge/runtime/server'
import { invalidArgument } from '@flowforge/runtime/status'
import type { BulkResult, Selection } from '../engine/bulk.ts'
import type { Engine } from '../engine/engine.ts'
import { conditionOf } from './filter-condition.ts'
import { parseProject } from './names.ts'

const workMsMax = 50_000

/** Which tasks a bulk request means. It stops in time to tell how far it came. */
export async function selectionOf(
  engine: Engine,
  { parent, filter }: { parent: string; filter: string },
  { deadline, signal }: CallContext,
): Promise<Selection> {
  const project = parseProject(parent)
  if (filter.trim() === '')
    throw invalidArgument({ field: 'filter', description: 'is required; for example "state = DEAD"' })
  const workMs = Math.min(workMsMax, (deadline - Date.now()) * 0.8)
  return {
    project,
    condition: await conditionOf(engine.queues, project, filter),
    until: performance.now() + workMs,
    signal,
  }
}

export function bulkResponse({ count, isComplete }: BulkResult): { count: bigint; complete: boolean } {
  return { count: BigInt(count), complete: isComplete }
}
