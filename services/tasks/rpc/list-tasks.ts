import type { ListTasksRequest, ListTasksResponse } from '@flowforge/proto/opaque/flowforge/tasks/v1/task_service.ts'
import { decodePageToken, encodePageToken } from '@flowforge/runtime/page-token'
import type { UnaryHandler } from '@flowforge/runtime/server'
import { invalidArgument } from '@flowforge/runtime/status'
import { listTasks as list } from '../engine/list.ts'
import { conditionOf } from './filter-condition.ts'
import { parseProject } from './names.ts'
import { pageSizeOf } from '@flowforge/runtime/paging'
import { messageOf, type Tasks } from './tasks.ts'

/** ListTasks: one page, newest first unless asked otherwise. */
export function listTasks({ engine }: Tasks): UnaryHandler<ListTasksRequest, ListTasksResponse> {
  return async ({ parent, pageSize, pageToken, filter, orderBy }) => {
    const project = parseProject(parent)
    const limit = pageSizeOf(pageSize)
    const scope = { parent, filter, orderBy }
    const after = decodePageToken<unknown>(pageToken, scope)
    if (after !== undefined && typeof after !== 'string')
      throw invalidArgument({ field: 'page_token', description: 'is not a token of this API' })
    const condition = filter.trim() === '' ? undefined : await conditionOf(engine.queues, project, filter)
    // One more than asked for tells whether there is another page.
    const rows = await list(engine.pool, {
      project,
      condition,
      isDescending: isDescending(orderBy),
      after,
      limit: limit + 1,
    })
    const page = rows.slice(0, limit)
    return {
      tasks: await Promise.all(page.map((row) => messageOf(engine, row))),
      nextPageToken: rows.length > limit ? encodePageToken(page.at(-1)!.id, scope) : '',
    }
  }
}

function isDescending(orderBy: string): boolean {
  const order = orderBy.trim().replace(/\s+/g, ' ')
  if (order === '' || order === 'create_time desc') return true
  if (order === 'create_time' || order === 'create_time asc') return false
  throw invalidArgument({ field: 'order_by', description: 'must be "create_time" or "create_time desc"' })
}
