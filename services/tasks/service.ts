/** The table of contents of this service: which file handles which RPC. */
import { EventServiceService } from '@flowforge/proto/opaque/flowforge/tasks/v1/event_service.ts'
import { QueueServiceService } from '@flowforge/proto/opaque/flowforge/tasks/v1/queue_service.ts'
import { ScheduleServiceService } from '@flowforge/proto/opaque/flowforge/tasks/v1/schedule_service.ts'
import { TaskServiceService } from '@flowforge/proto/opaque/flowforge/tasks/v1/task_service.ts'
import { WorkerServiceService } from '@flowforge/proto/opaque/flowforge/tasks/v1/worker_service.ts'
import { service, type Service } from '@flowforge/runtime/server'
import { batchCreateTasks } from './rpc/batch-create-tasks.ts'
import { bulkCancelTasks } from './rpc/bulk-cancel-tasks.ts'
import { bulkDeleteTasks } from './rpc/bulk-delete-tasks.ts'
import { bulkRetryTasks } from './rpc/bulk-retry-tasks.ts'
import { cancelTask } from './rpc/cancel-task.ts'
import { completeTask } from './rpc/complete-task.ts'
import { createTask } from './rpc/create-task.ts'
import { deleteTask } from './rpc/delete-task.ts'
import { extendLeases } from './rpc/extend-leases.ts'
import { failTask } from './rpc/fail-task.ts'
import { getTask } from './rpc/get-task.ts'
import { leaseTasks } from './rpc/lease-tasks.ts'
import { listTasks } from './rpc/list-tasks.ts'
import { queueHandlers } from './rpc/queues.ts'
import { releaseTask } from './rpc/release-task.ts'
import { reportProgress } from './rpc/report-progress.ts'
import { retryTask } from './rpc/retry-task.ts'
import { scheduleHandlers } from './rpc/schedules.ts'
import { streamFinishedTasks } from './rpc/stream-finished-tasks.ts'
import type { Tasks } from './rpc/tasks.ts'
import { watchTask } from './rpc/watch-task.ts'
import { work } from './rpc/work.ts'
import type { WorkStreams } from './rpc/work-streams.ts'

/** @param onScheduleChanged Called when some schedule may fire earlier than before. */
export function taskServices(tasks: Tasks, streams: WorkStreams, onScheduleChanged: () => void): Service[] {
  const queues = queueHandlers(tasks)
  const schedules = scheduleHandlers(tasks, onScheduleChanged)
  return [
    service(TaskServiceService, {
      createTask: createTask(tasks),
      batchCreateTasks: batchCreateTasks(tasks),
      getTask: getTask(tasks),
      listTasks: listTasks(tasks),
      cancelTask: cancelTask(tasks),
      retryTask: retryTask(tasks),
      deleteTask: deleteTask(tasks),
      watchTask: watchTask(tasks),
      bulkCancelTasks: bulkCancelTasks(tasks),
      bulkRetryTasks: bulkRetryTasks(tasks),
      bulkDeleteTasks: bulkDeleteTasks(tasks),
    }),
    service(WorkerServiceService, {
      work: work(tasks, streams),
      leaseTasks: leaseTasks(tasks),
      extendLeases: extendLeases(tasks),
      completeTask: completeTask(tasks),
      failTask: failTask(tasks),
      releaseTask: releaseTask(tasks),
      reportProgress: reportProgress(tasks),
    }),
    service(QueueServiceService, {
      getQueue: queues.getQueue,
      listQueues: queues.listQueues,
      updateQueue: queues.updateQueue,
      pauseQueue: queues.pauseQueue,
      resumeQueue: queues.resumeQueue,
    }),
    service(ScheduleServiceService, {
      createSchedule: schedules.createSchedule,
      getSchedule: schedules.getSchedule,
      listSchedules: schedules.listSchedules,
      updateSchedule: schedules.updateSchedule,
      deleteSchedule: schedules.deleteSchedule,
      pauseSchedule: schedules.pauseSchedule,
      resumeSchedule: schedules.resumeSchedule,
      runSchedule: schedules.runSchedule,
      backfillSchedule: schedules.backfillSchedule,
    }),
    service(EventServiceService, { streamFinishedTasks: streamFinishedTasks(tasks) }),
  ]
}
