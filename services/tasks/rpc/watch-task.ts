import type { WatchTaskRequest, WatchTaskResponse } from '@flowforge/proto/opaque/flowforge/tasks/v1/task_service.ts'
import type { ServerStreamHandler } from '@flowforge/runtime/server'
import { unavailable } from '@flowforge/runtime/status'
import { Signal } from '../engine/signal.ts'
import { isFinished } from '../engine/states.ts'
import { parseTaskName } from './names.ts'
import { taskByName, type Tasks } from './tasks.ts'

const repeatMs = 120_000

/** WatchTask: the task as it is, then after each change, until it has finished. */
export function watchTask(tasks: Tasks): ServerStreamHandler<WatchTaskRequest, WatchTaskResponse> {
  return async ({ name, etag }, { signal, draining }, send) => {
    const key = parseTaskName(name)
    const changed = new Signal()
    const over = AbortSignal.any([signal, draining])
    const stop = tasks.engine.changes.watch(key.project, key.id, () => changed.raise())
    try {
      let seen = etag
      let sentMs = performance.now()
      for (;;) {
        const task = await taskByName(tasks, key, 'refuse')
        // Again from time to time even if nothing changed: a stream that says nothing is taken for dead.
        if (task.etag !== seen || performance.now() - sentMs > repeatMs) {
          await send({ task })
          sentMs = performance.now()
        }
        if (isFinished(task.state)) return
        seen = task.etag
        await changed.wait(over, repeatMs)
        if (signal.aborted) return
        if (draining.aborted) throw unavailable('DRAINING', 'this instance stops; watch again with the last etag')
      }
    } finally {
      stop()
    }
  }
}
