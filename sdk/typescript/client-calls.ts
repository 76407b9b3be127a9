/**
 * The calls a client can make: the RPC, its HTTP binding as `google.api.http` declares it, and whether doing it
 * twice is the same as doing it once, so that it may be repeated when it is unknown whether it was done.
 */
export interface Call {
  /** `TaskService/CreateTask`, of package `flowforge.tasks.v1`. */
  rpc: string
  verb: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** The path with the request's fields in braces. */
  path: string
  /** The request's field that is the HTTP body, or `*` for all that is not in the path. */
  body?: string
  isIdempotent: boolean
}

export const calls = {
  // The client gives every task a request ID, which is what makes creating idempotent.
  createTask: idempotent('TaskService/CreateTask', 'POST', '/v1/{parent}/tasks', 'task'),
  batchCreateTasks: idempotent('TaskService/BatchCreateTasks', 'POST', '/v1/{parent}/tasks:batchCreate', '*'),
  getTask: idempotent('TaskService/GetTask', 'GET', '/v1/{name}'),
  listTasks: idempotent('TaskService/ListTasks', 'GET', '/v1/{parent}/tasks'),
  cancelTask: idempotent('TaskService/CancelTask', 'POST', '/v1/{name}:cancel', '*'),
  // A redrive that is repeated finds the task running, or redrives what died meanwhile.
  retryTask: once('TaskService/RetryTask', 'POST', '/v1/{name}:retry', '*'),
  deleteTask: idempotent('TaskService/DeleteTask', 'DELETE', '/v1/{name}'),
  bulkCancelTasks: idempotent('TaskService/BulkCancelTasks', 'POST', '/v1/{parent}/tasks:bulkCancel', '*'),
  bulkRetryTasks: once('TaskService/BulkRetryTasks', 'POST', '/v1/{parent}/tasks:bulkRetry', '*'),
  bulkDeleteTasks: idempotent('TaskService/BulkDeleteTasks', 'POST', '/v1/{parent}/tasks:bulkDelete', '*'),
  watchTask: idempotent('TaskService/WatchTask', 'GET', '/v1/{name}:watch'),
  getQueue: idempotent('QueueService/GetQueue', 'GET', '/v1/{name}'),
  listQueues: idempotent('QueueService/ListQueues', 'GET', '/v1/{parent}/queues'),
  updateQueue: idempotent('QueueService/UpdateQueue', 'PATCH', '/v1/{queue.name}', 'queue'),
  pauseQueue: idempotent('QueueService/PauseQueue', 'POST', '/v1/{name}:pause', '*'),
  resumeQueue: idempotent('QueueService/ResumeQueue', 'POST', '/v1/{name}:resume', '*'),
  createSchedule: once('ScheduleService/CreateSchedule', 'POST', '/v1/{parent}/schedules', 'schedule'),
  getSchedule: idempotent('ScheduleService/GetSchedule', 'GET', '/v1/{name}'),
  listSchedules: idempotent('ScheduleService/ListSchedules', 'GET', '/v1/{parent}/schedules'),
  updateSchedule: idempotent('ScheduleService/UpdateSchedule', 'PATCH', '/v1/{schedule.name}', 'schedule'),
  deleteSchedule: idempotent('ScheduleService/DeleteSchedule', 'DELETE', '/v1/{name}'),
  pauseSchedule: idempotent('ScheduleService/PauseSchedule', 'POST', '/v1/{name}:pause', '*'),
  resumeSchedule: idempotent('ScheduleService/ResumeSchedule', 'POST', '/v1/{name}:resume', '*'),
  runSchedule: once('ScheduleService/RunSchedule', 'POST', '/v1/{name}:run', '*'),
  backfillSchedule: idempotent('ScheduleService/BackfillSchedule', 'POST', '/v1/{name}:backfill', '*'),
} satisfies Record<string, Call>

function idempotent(rpc: string, verb: Call['verb'], path: string, body?: string): Call {
  return { rpc, verb, path, body, isIdempotent: true }
}

function once(rpc: string, verb: Call['verb'], path: string, body?: string): Call {
  return { rpc, verb, path, body, isIdempotent: false }
}
