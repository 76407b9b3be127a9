import type {
  StreamFinishedTasksRequest,
  StreamFinishedTasksResponse,
} from '@flowforge/proto/opaque/flowforge/tasks/v1/event_service.ts'
import type { ServerStreamHandler } from '@flowforge/runtime/server'
import { invalidArgument, unavailable } from '@flowforge/runtime/status'
import { currentPosition, finishedAfter, type Position } from '../engine/finished.ts'
import { Signal } from '../engine/signal.ts'
import { parseProject } from './names.ts'
import { messageOf, type Tasks } from './tasks.ts'

const batchMax = 500
const pollMs = 1000
/** The cursor moves on this often even if nothing finished. */
const cursorMs = 15_000

/** StreamFinishedTasks: what finished after the cursor, then what finishes. */
export function streamFinishedTasks({
  engine,
}: Tasks): ServerStreamHandler<StreamFinishedTasksRequest, StreamFinishedTasksResponse> {
  return async ({ parents, cursor }, { signal, draining }, send) => {
    const projects = parents.map((parent, i) => parseProject(parent, `parents[${i}]`))
    let position = cursor === '' ? await currentPosition(engine.pool) : positionOf(cursor)
    const finished = new Signal()
    const over = AbortSignal.any([signal, draining])
    const onFinished = (): void => finished.raise()
    engine.onFinished.add(onFinished)
    let sentMs = performance.now()
    try {
      if (cursor === '') await send({ tasks: [], cursor: cursorOf(position) })
      while (!signal.aborted) {
        const next = await finishedAfter(engine.pool, projects, position, batchMax)
        position = next.position
        if (next.rows.length > 0 || performance.now() - sentMs > cursorMs) {
          const bare = next.rows.map((row) => ({ ...row, payload: null, progress: null, result: null }))
          const tasks = await Promise.all(bare.map((row) => messageOf(engine, row)))
          await send({ tasks, cursor: cursorOf(position) })
          sentMs = performance.now()
        }
        if (next.rows.length < batchMax) await finished.wait(over, pollMs)
        if (draining.aborted) throw unavailable('DRAINING', 'this instance stops; continue with the last cursor')
      }
    } finally {
      engine.onFinished.delete(onFinished)
    }
  }
}

function cursorOf({ xid, id }: Position): string {
  return Buffer.from(`${xid} ${id}`).toString('base64url')
}

function positionOf(cursor: string): Position {
  const match = /^(\d{1,20}) ([0-9a-f-]{36})$/.exec(Buffer.from(cursor, 'base64url').toString())
  if (!match) throw invalidArgument({ field: 'cursor', description: 'is not a cursor of this API' })
  return { xid: match[1]!, id: match[2]! }
}
