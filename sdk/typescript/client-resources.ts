import type {
  MissedFirePolicy as MissedFirePolicies,
  OverlapPolicy as OverlapPolicies,
} from '@flowforge/proto/flowforge/tasks/v1/schedule_service.ts'
import type {
  TaskState as TaskStates,
  AttemptOutcome as AttemptOutcomes,
  UniquePolicy as UniquePolicies,
} from '@flowforge/proto/flowforge/tasks/v1/task.ts'

/**
 * The resources as the HTTP API speaks of them: proto3 JSON, so instants are RFC 3339 strings, durations `"1.5s"`,
 * 64-bit numbers strings, and what has its default value may be absent.
 */

/** Any JSON value. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject

/** A JSON object, such as a task's payload. */
export interface JsonObject {
  [key: string]: JsonValue
}

/** Where a task is in its life. */
export type TaskState = Exclude<keyof typeof TaskStates, 'UNRECOGNIZED' | 'TASK_STATE_UNSPECIFIED'>

/** How an attempt ended. */
export type AttemptOutcome = Exclude<keyof typeof AttemptOutcomes, 'UNRECOGNIZED'>

/** What creating a task does when another one with its unique key has not finished. */
export type UniquePolicy = Exclude<keyof typeof UniquePolicies, 'UNRECOGNIZED'>

/** What becomes of fire times that were missed. */
export type MissedFirePolicy = Exclude<keyof typeof MissedFirePolicies, 'UNRECOGNIZED'>

/** What happens at a fire time when the task created before has not finished. */
export type OverlapPolicy = Exclude<keyof typeof OverlapPolicies, 'UNRECOGNIZED'>

/** When and how often a failed attempt is repeated. */
export interface RetryPolicyResource {
  maxAttempts?: number
  minBackoff?: string
  maxBackoff?: string
  multiplier?: number
}

/** What a caller says of a task that it hands in; `type` names the handler. */
export interface NewTask {
  type: string
  queue?: string
  payload?: JsonObject
  priority?: number
  scheduleTime?: string
  attemptTimeout?: string
  expireTime?: string
  retryPolicy?: RetryPolicyResource
  requestId?: string
  fairnessKey?: string
  concurrencyKey?: string
  /** At most one task of its queue that has not finished has this key. */
  uniqueKey?: string
  uniquePolicy?: UniquePolicy
  labels?: Record<string, string>
}

/** One try at running a task. */
export interface AttemptResource {
  number: number
  worker?: string
  startTime?: string
  finishTime?: string
  outcome?: AttemptOutcome
  error?: StatusResource
}

/** A task as the server tells it. */
export interface TaskResource extends NewTask {
  name: string
  uid: string
  state: TaskState
  attempts?: AttemptResource[]
  progress?: JsonObject
  result?: JsonObject
  error?: StatusResource
  createTime: string
  startTime?: string
  finishTime?: string
  etag: string
  cancelRequested?: boolean
}

/** A google.rpc.Status; each of its details has an `@type`. */
export interface StatusResource {
  code?: number
  message?: string
  details?: JsonObject[]
}

/** What a caller may decide about a queue. */
export interface QueueSettings {
  /** How long finished tasks are kept, such as `86400s`. */
  retention?: string
  /** At most this many of its tasks run at a time; 0 for no limit. */
  concurrency?: number
  /** At most this many with the same concurrency key run at a time. */
  concurrencyPerKey?: number
  /** At most this many start per second; 0 for no limit. */
  ratePerSecond?: number
  /** As many may start at once after a pause. */
  rateBurst?: number
  /** Shares of the workers by fairness key; 1 for keys that are not named. */
  fairnessWeights?: Record<string, number>
  /** A task that was READY for this long goes before all others. */
  ageing?: string
}

/** Where tasks wait for workers. */
export interface QueueResource extends QueueSettings {
  name: string
  paused?: boolean
  scheduledCount?: string
  readyCount?: string
  runningCount?: string
  deadCount?: string
  oldestReadyTime?: string
  createTime?: string
}

/** What a caller says of a schedule: a task to create whenever the cron line says so. */
export interface NewSchedule {
  cron: string
  timeZone?: string
  task: NewTask
  missedFirePolicy?: MissedFirePolicy
  overlapPolicy?: OverlapPolicy
  /** Each task waits a time of its own up to this, such as `30s`. */
  jitter?: string
}

/** A schedule as the server tells it. */
export interface ScheduleResource extends NewSchedule {
  name: string
  paused?: boolean
  nextFireTime?: string
  lastFireTime?: string
  lastTask?: string
  createTime?: string
}

/** Whether a task has ended and will change no more unless somebody redrives or deletes it. */
export function isFinished(task: TaskResource): boolean {
  return (
    task.state === 'TASK_STATE_SUCCEEDED' || task.state === 'TASK_STATE_CANCELLED' || task.state === 'TASK_STATE_DEAD'
  )
}
