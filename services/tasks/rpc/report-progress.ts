import type {
  ReportProgressRequest,
  ReportProgressResponse,
} from '@flowforge/proto/opaque/flowforge/tasks/v1/worker_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import type { LeaseKey } from '../engine/fence.ts'
import { ownLease } from './complete-task.ts'
import { leaseKeyOf } from './lease-message.ts'
import type { Tasks } from './tasks.ts'
import { Violations } from './violations.ts'

/** ReportProgress: the unary twin of progress on a Work stream. */
export function reportProgress(tasks: Tasks): UnaryHandler<ReportProgressRequest, ReportProgressResponse> {
  return async ({ name, lease, progress }) => ({
    cancelRequested: await recordProgress(tasks, ownLease(name, leaseKeyOf(lease)), progress),
  })
}

/** Stores progress; true if the attempt should stop. */
export async function recordProgress(
  { engine, payloadBytesMax }: Tasks,
  lease: LeaseKey,
  progress: Uint8Array | undefined,
): Promise<boolean> {
  const violations = new Violations()
  const checked = violations.struct('progress', progress, payloadBytesMax)
  violations.throwIfAny()
  return engine.progress({ ...lease, progress: checked })
}
