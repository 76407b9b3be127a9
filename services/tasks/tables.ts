/** The tables of schema/, as the driver returns their rows. */

/** A task, waiting, running or finished. Columns that only one half has are optional. */
export interface TaskRow {
  project: string
  id: string
  queue_id: number
  type: string
  /** See engine/states.ts; the numbers are those of flowforge.tasks.v1.TaskState. */
  state: number
  priority: number
  /** The earliest start of the next attempt. */
  schedule_time: Date
  expire_time: Date | null
  attempt_timeout_ms: number | null
  retry_policy: RetryPolicyColumn | null
  request_id: string | null
  fairness_key: string | null
  concurrency_key: string | null
  unique_key: string | null
  labels: Record<string, string> | null
  /** W3C trace context of the creation. */
  traceparent: string | null
  /** An encoded google.protobuf.Struct, as are progress and result; sealed if encryption is on (engine/seal.ts). */
  payload: Buffer | null
  create_time: Date
  start_time: Date | null
  /** Of the running or last attempt; 0 before the first. */
  attempt: number
  /** Of the running or last attempt; a bigint in decimal. */
  session_id: string | null
  worker: string | null
  attempt_start: Date | null
  progress: Buffer | null
  /** An encoded google.rpc.Status. */
  error: Buffer | null
  /** The ended attempts, oldest first; not the successful or cancelled last one, which the other columns tell. */
  attempts: AttemptColumn[]
  revision: number
  cancel_requested?: boolean
  result?: Buffer | null
  finish_time?: Date
}

/** What of a retry policy was set; the defaults stand in engine/retry-policy.ts and tasks.backoff(). */
export interface RetryPolicyColumn {
  max_attempts?: number
  min_backoff_ms?: number
  max_backoff_ms?: number
  multiplier?: number
}

/** An ended attempt; instants in milliseconds since 1970. */
export interface AttemptColumn {
  number: number
  worker: string | null
  start: number
  finish: number
  /** The number of a flowforge.tasks.v1.AttemptOutcome. */
  outcome: number
  code?: number
  message?: string
}

/** A queue with its settings. */
export interface QueueRow {
  id: number
  project: string
  name: string
  paused: boolean
  retention_s: number
  create_time: Date
  concurrency: number | null
  concurrency_per_key: number
  rate_per_s: number | null
  rate_burst: number | null
  fairness_weights: Record<string, number>
  ageing_s: number | null
}

/** A cron schedule. */
export interface ScheduleRow {
  project: string
  id: string
  cron: string
  time_zone: string
  /** An encoded flowforge.tasks.v1.Task; sealed if encryption is on. */
  template: Buffer
  paused: boolean
  next_fire_time: Date | null
  last_fire_time: Date | null
  last_task: string | null
  /** The numbers of flowforge.tasks.v1.MissedFirePolicy and OverlapPolicy; 0 for the default. */
  missed_fire_policy: number
  overlap_policy: number
  jitter_ms: number
  create_time: Date
  revision: number
}
