import type { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import type { StoredState, SubscriptionRow } from '../tables.ts'

/** Marks a `webhook.deliver` task with the id of its subscription. Tasks that carry it are never told about. */
export const subscriptionLabel = 'flowforge.dev/subscription'

/** A task that has ended, with what is always known of one. */
export interface EndedTask extends Task {
  project: string
  end: StoredState
  finishTime: Date
}

/** What is asked of the tasks service for one delivery. */
export interface ComposedDelivery {
  requestId: string
  type: string
  queue: string
  payload: Record<string, unknown>
  fairnessKey: string
  labels: Record<string, string>
}

/**
 * Finished tasks carry the time at which their transaction began, so one that ends just after a subscription may
 * bear a time just before it. Telling such a task too many is better than one too few.
 */
const startToleranceMs = 5_000

/** Whether a subscription wants to be told how this task ended. */
export function isWanted(subscription: SubscriptionRow, task: EndedTask): boolean {
  return (
    // A delivery that ends must not be delivered in turn, without end.
    !Object.hasOwn(task.labels, subscriptionLabel) &&
    subscription.project === task.project &&
    task.finishTime.getTime() >= subscription.active_since.getTime() - startToleranceMs &&
    isAmong(subscription.states, task.end) &&
    isAmong(subscription.types, task.type) &&
    isAmong(subscription.queues, task.queue)
  )
}

/**
 * Composes the `webhook.deliver` task that tells one end of a task.
 *
 * The same end always makes the same task with the same request ID, so that handing it over twice delivers once. The
 * time of the end is part of the ID because a redriven task ends again.
 */
export function composeDelivery(subscription: SubscriptionRow, task: EndedTask): ComposedDelivery {
  return {
    requestId: `notify-${subscription.uid}-${task.uid}-${task.finishTime.getTime().toString(36)}`,
    type: 'webhook.deliver',
    queue: 'notifications',
    payload: {
      url: subscription.url,
      secret: subscription.secret,
      body: {
        type: `task.${task.end.toLowerCase()}`,
        timestamp: task.finishTime.toISOString(),
        data: describe(task),
      },
    },
    // Each subscription has its own turn in the queue, so that a busy one does not delay another.
    fairnessKey: subscription.id,
    labels: { [subscriptionLabel]: subscription.id },
  }
}

/** The task as a receiver sees it, in the words of the HTTP API; payload and result are not told. */
function describe(task: EndedTask): Record<string, unknown> {
  return {
    name: task.name,
    uid: task.uid,
    type: task.type,
    queue: task.queue,
    state: `TASK_STATE_${task.end}`,
    priority: task.priority,
    labels: task.labels,
    attempts: task.attempts.at(-1)?.number ?? 0,
    create_time: task.createTime?.toISOString() ?? null,
    start_time: task.startTime?.toISOString() ?? null,
    finish_time: task.finishTime.toISOString(),
    error: task.error === undefined ? null : { code: task.error.code, message: task.error.message },
  }
}

function isAmong(wanted: string[], word: string): boolean {
  return wanted.length === 0 || wanted.includes(word)
}
