import type {
  BulkRetryTasksRequest,
  BulkRetryTasksResponse,
} from '@flowforge/proto/opaque/flowforge/tasks/v1/task_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import { invalidArgument } from '@flowforge/runtime/status'
import { retryable } from '../engine/bulk-retry.ts'
import { countInChunks } from '../engine/bulk.ts'
import { bulkResponse, selectionOf } from './bulk-selection.ts'
import type { Tasks } from './tasks.ts'

const rateMin = 0.001
const rateMax = 10_000

/** BulkRetryTasks: redrives what is dead or cancelled. */
export function bulkRetryTasks({ engine }: Tasks): UnaryHandler<BulkRetryTasksRequest, BulkRetryTasksResponse> {
  return async (request, context) => {
    const { dryRun, ratePerSecond } = request
    if (ratePerSecond !== 0 && !(ratePerSecond >= rateMin && ratePerSecond <= rateMax))
      throw invalidArgument({
        field: 'rate_per_second',
        description: `must be between ${rateMin} and ${rateMax}, or 0 for all at once`,
      })
    const selection = await selectionOf(engine, request, context)
    return bulkResponse(
      dryRun
        ? await countInChunks(engine.pool, selection, retryable)
        : await engine.bulkRetry(selection, ratePerSecond),
    )
  }
}
