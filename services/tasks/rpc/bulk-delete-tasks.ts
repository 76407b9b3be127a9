import type {
  BulkDeleteTasksRequest,
  BulkDeleteTasksResponse,
} from '@flowforge/proto/opaque/flowforge/tasks/v1/task_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import { bulkDelete, deletable } from '../engine/bulk-delete.ts'
import { countInChunks } from '../engine/bulk.ts'
import { bulkResponse, selectionOf } from './bulk-selection.ts'
import type { Tasks } from './tasks.ts'

/** BulkDeleteTasks: forgets what does not run. */
export function bulkDeleteTasks({ engine }: Tasks): UnaryHandler<BulkDeleteTasksRequest, BulkDeleteTasksResponse> {
  return async (request, context) => {
    const selection = await selectionOf(engine, request, context)
    if (request.dryRun) return bulkResponse(await countInChunks(engine.pool, selection, deletable))
    const deleted = await bulkDelete(engine.pool, selection, (ids) => {
      for (const id of ids) engine.changes.changed(id)
    })
    return bulkResponse(deleted)
  }
}
