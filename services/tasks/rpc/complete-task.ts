import type { Task } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import type { CompleteTaskRequest } from '@flowforge/proto/opaque/flowforge/tasks/v1/worker_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import { invalidArgument, StatusError } from '@flowforge/runtime/status'
import { status } from '@grpc/grpc-js'
import type { Success } from '../engine/complete.ts'
import type { LeaseKey } from '../engine/fence.ts'
import { leaseKeyOf, oversizedEnding } from './lease-message.ts'
import { taskByName, type Tasks } from './tasks.ts'
import { Violations } from './violations.ts'

/** CompleteTask: the unary twin of a success on a Work stream. */
export function completeTask(tasks: Tasks): UnaryHandler<CompleteTaskRequest, Task> {
  return async ({ name, lease, result }) => {
    const key = ownLease(name, leaseKeyOf(lease))
    await recordSuccess(tasks, key, result)
    return taskByName(tasks, key)
  }
}

/** Records a success. A result over the limit makes the task DEAD, and is refused with reason RESULT_TOO_LARGE. */
export async function recordSuccess(tasks: Tasks, lease: LeaseKey, result: Uint8Array | undefined): Promise<void> {
  const { engine, payloadBytesMax } = tasks
  if (isOversized(tasks, result)) {
    const ending = oversizedEnding(lease, result.length, payloadBytesMax)
    await engine.settle(ending)
    throw new StatusError(status.INVALID_ARGUMENT, 'RESULT_TOO_LARGE', ending.message!)
  }
  const [refused] = await engine.completeAll([successOf(tasks, lease, result)])
  if (refused) throw refused
}

/** True if the result is over the limit. */
export function isOversized({ payloadBytesMax }: Tasks, result: Uint8Array | undefined): result is Uint8Array {
  return result !== undefined && result.length > payloadBytesMax
}

/** The success as the engine records it; INVALID_ARGUMENT if the result cannot be kept. */
export function successOf({ payloadBytesMax }: Tasks, lease: LeaseKey, result: Uint8Array | undefined): Success {
  const violations = new Violations()
  const checked = violations.struct('result', result, payloadBytesMax)
  violations.throwIfAny()
  return { ...lease, result: checked }
}

/** Refuses a lease of another task than the one that the request names. */
export function ownLease(name: string, lease: LeaseKey): LeaseKey {
  if (name !== `projects/${lease.project}/tasks/${lease.id}`)
    throw invalidArgument({ field: 'lease.task', description: 'differs from name' })
  return lease
}
