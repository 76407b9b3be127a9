import { status } from '@grpc/grpc-js'
import type { EventServiceClient } from '@flowforge/proto/flowforge/tasks/v1/event_service.ts'
import type { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import type { PromiseClient } from '@flowforge/runtime/client'
import { matchName } from '@flowforge/runtime/resource-name'
import { StatusError, unavailable } from '@flowforge/runtime/status'
import type { EndedTask } from '../engine/compose-delivery.ts'
import { type Following, loadFollowing, moveCursor, takeOver } from '../engine/following.ts'
import { toStoredState } from '../engine/states.ts'
import { handOver, type HandOverOptions } from './hand-over.ts'
import { pause, type Term } from './lead.ts'

export interface FollowOptions extends HandOverOptions {
  events: PromiseClient<EventServiceClient>
}

/** A change whose announcement was missed is noticed after this long; also by any message of an open stream. */
const pollMs = 10_000
const backoffMs = { min: 200, max: 5_000 }

/**
 * Follows the finished tasks of all projects with active subscriptions and hands over what they want to know.
 *
 *     load what to follow ──► stream ──► hand over ──► move the cursor ──┐
 *           ▲    │ nothing: wait           ▲                             │
 *           │    ▼                         └─────────────────────────────┤
 *           └── a change, an error (after a pause), or the stream ended ─┘
 *
 * The cursor moves only after the deliveries are durable, so a crash at any point repeats some and loses none.
 */
export async function follow(options: FollowOptions, term: Term): Promise<void> {
  await takeOver(options.db)
  let failures = 0
  let pass = new AbortController()
  term.onChange(() => pass.abort())
  while (!term.signal.aborted) {
    pass = new AbortController()
    const over = AbortSignal.any([term.signal, pass.signal])
    try {
      await followOnce(options, over, () => (failures = 0))
    } catch (error) {
      if (over.aborted) continue
      const ms = backoff(failures++)
      options.log.warn({ err: error, retryMs: ms }, 'following finished tasks was interrupted')
      await pause(ms, over)
    }
  }
}

/** Returns when what is followed has changed, and when the stream ended in good order. */
async function followOnce(options: FollowOptions, over: AbortSignal, onProgress: () => void): Promise<void> {
  const following = await loadFollowing(options.db)
  const { subscriptions, cursor } = following
  if (subscriptions.length === 0 || cursor === null) return await pause(pollMs, over)
  const parents = [...new Set(subscriptions.map(({ project }) => `projects/${project}`))].sort()
  let isSilent = true
  try {
    for await (const event of options.events.streamFinishedTasks({ parents, cursor }, { signal: over })) {
      await handOver(options, subscriptions, event.tasks.flatMap(toEnded), over)
      if (event.cursor !== '' && !(await moveCursor(options.db, following.version, event.cursor))) return
      isSilent = false
      onProgress()
    }
  } catch (error) {
    if (over.aborted || !isSilent || !isRefusedCursor(error)) throw error
    await startAnew(options, following, error)
    return
  }
  // Opening it again at once would spin.
  if (isSilent && !over.aborted) throw unavailable('EVENTS_UNAVAILABLE', 'the stream of finished tasks ended unsaid')
}

/** A cursor that the tasks service no longer knows would hold up everything for ever: go on from now, and say so. */
async function startAnew(options: FollowOptions, following: Following, error: unknown): Promise<void> {
  options.log.error({ err: error }, 'the cursor is refused: tasks that ended before now may stay untold')
  await moveCursor(options.db, following.version, '')
}

function isRefusedCursor(error: unknown): boolean {
  return error instanceof StatusError && (error.code === status.INVALID_ARGUMENT || error.code === status.OUT_OF_RANGE)
}

/** A task of another kind than promised is passed over: nothing can be said about its end. */
function toEnded(task: Task): EndedTask[] {
  const name = matchName('projects/{project}/tasks/{task}', task.name)
  const end = toStoredState(task.state)
  if (name === undefined || end === undefined || task.finishTime === undefined) return []
  return [{ ...task, project: name.project, end, finishTime: task.finishTime }]
}

function backoff(failures: number): number {
  const ms = Math.min(backoffMs.max, backoffMs.min * 2 ** failures)
  return ms * (0.5 + Math.random() / 2)
}
