import { status } from '@grpc/grpc-js'
import type {
  BatchCreateTasksResponse_Result,
  TaskServiceClient,
} from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { CreateTaskRequest } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import type { PromiseClient } from '@flowforge/runtime/client'
import type { Logger } from '@flowforge/runtime/log'
import { fromRpcStatus } from '@flowforge/runtime/status'
import { composeDelivery, type EndedTask, isWanted } from '../engine/compose-delivery.ts'
import { type NewDelivery, recordDeliveries } from '../engine/deliveries.ts'
import type { NotificationsDatabase, SubscriptionRow } from '../tables.ts'

/** A delivery is at most about 20 KiB (labels, error, URL), and a call at most 4 MiB. */
const batchMax = 100

export interface HandOverOptions {
  db: NotificationsDatabase
  tasks: PromiseClient<TaskServiceClient>
  log: Logger
}

/**
 * Hands over to the tasks service whatever `subscriptions` want to know of `ended`, and records it.
 *
 * Once this returns, every delivery is durable or was refused for good and logged. It throws when one could not be
 * handed over now; repeating it then delivers nothing twice.
 */
export async function handOver(
  options: HandOverOptions,
  subscriptions: SubscriptionRow[],
  ended: EndedTask[],
  signal: AbortSignal,
): Promise<void> {
  const wanted = ended.flatMap((task) =>
    subscriptions
      .filter((subscription) => isWanted(subscription, task))
      .map((subscription) => ({ subscription, task })),
  )
  const byProject = Map.groupBy(wanted, ({ task }) => task.project)
  for (const [project, pairs] of byProject) {
    for (let start = 0; start < pairs.length; start += batchMax) {
      await handOverBatch(options, project, pairs.slice(start, start + batchMax), signal)
    }
  }
}

interface Pair {
  subscription: SubscriptionRow
  task: EndedTask
}

async function handOverBatch(
  options: HandOverOptions,
  project: string,
  pairs: Pair[],
  signal: AbortSignal,
): Promise<void> {
  const { db, tasks, log } = options
  const requests = pairs.map(({ subscription, task }) => toRequest(subscription, task))
  const { results } = await tasks.batchCreateTasks({ parent: `projects/${project}`, requests }, { signal })
  const deliveries: NewDelivery[] = []
  let interruption: Error | undefined
  for (const [index, { subscription, task }] of pairs.entries()) {
    const deliveryTask = judge(results[index])
    if (deliveryTask instanceof Error) {
      if (isFinal(deliveryTask)) {
        log.error({ err: deliveryTask, subscription: subscription.uid, task: task.name }, 'a delivery was refused')
      } else interruption ??= deliveryTask
      continue
    }
    deliveries.push({
      subscription: subscription.uid,
      task: task.name,
      state: task.end,
      finishTime: task.finishTime,
      deliveryTask,
    })
  }
  await recordDeliveries(db, deliveries)
  if (interruption !== undefined) throw interruption
}

function toRequest(subscription: SubscriptionRow, task: EndedTask): CreateTaskRequest {
  const { requestId, ...delivery } = composeDelivery(subscription, task)
  return CreateTaskRequest.create({ requestId, task: delivery })
}

/** The name of the task that was created, or why it was not. */
function judge(result: BatchCreateTasksResponse_Result | undefined): string | Error {
  if (result?.outcome?.$case === 'task') return result.outcome.value.name
  if (result?.outcome?.$case === 'error') return fromRpcStatus(result.outcome.value)
  return new Error('the tasks service did not say what became of a delivery')
}

/**
 * Whether a repeat would be refused alike. ALREADY_EXISTS is: the event was handed over before the subscription's URL
 * was changed. Holding back everything behind such a delivery would help nobody.
 */
function isFinal(error: Error): boolean {
  const code = 'code' in error ? error.code : undefined
  return (
    code === status.ALREADY_EXISTS ||
    code === status.FAILED_PRECONDITION ||
    code === status.INVALID_ARGUMENT ||
    code === status.NOT_FOUND
  )
}
