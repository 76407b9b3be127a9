import type {
  BulkCancelTasksRequest,
  BulkCancelTasksResponse,
} from '@flowforge/proto/opaque/flowforge/tasks/v1/task_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import { cancellable } from '../engine/bulk-cancel.ts'
import { countInChunks } from '../engine/bulk.ts'
import { bulkResponse, selectionOf } from './bulk-selection.ts'
import type { Tasks } from './tasks.ts'

/** BulkCancelTasks: what waits is CANCELLED now, what runs is asked to stop. */
export function bulkCancelTasks({ engine }: Tasks): UnaryHandler<BulkCancelTasksRequest, BulkCancelTasksResponse> {
  return async (request, context) => {
    const selection = await selectionOf(engine, request, context)
    return bulkResponse(
      request.dryRun ? await countInChunks(engine.pool, selection, cancellable) : await engine.bulkCancel(selection),
    )
  }
}
