import { compileFilter, type Condition } from '../engine/filter.ts'
import type { QueueCache } from '../engine/queue-cache.ts'

/** A caller's filter as a condition; INVALID_ARGUMENT if it is not understood. A queue that does not exist has no tasks. */
export async function conditionOf(queues: QueueCache, project: string, filter: string): Promise<Condition> {
  const condition = compileFilter(filter)
  const values = [...condition.values]
  for (const i of condition.queueValues) values[i] = (await queues.find(project, String(values[i])))?.id ?? -1
  return { ...condition, values }
}
