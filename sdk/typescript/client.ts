import { randomUUID } from 'node:crypto'
import { calls, type Call } from './client-calls.ts'
import { errorOfStatus, FlowForgeError } from './client-error.ts'
import { httpTransport } from './client-http.ts'
import { Listing, type ListQuery } from './client-listing.ts'
import type {
  JsonObject,
  NewSchedule,
  NewTask,
  QueueResource,
  QueueSettings,
  ScheduleResource,
  StatusResource,
  TaskResource,
} from './client-resources.ts'
import { withRetry } from './client-retry.ts'
import type { CallOptions, Transport } from './client-transport.ts'
import { watchTask } from './client-watch.ts'

/** As long as the service works on a bulk call. */
const bulkTimeoutMs = 60_000

/** Where FlowForge is and who asks. */
export interface ClientOptions {
  /** The gateway, such as `http://127.0.0.1:8080`. */
  url?: string
  apiKey?: string
  /** The id of the project; `default` if absent. */
  project?: string
  /** Takes the place of `url` and `apiKey` for who reaches FlowForge otherwise than by HTTP. */
  transport?: Transport
}

/** What became of one task of a batch. */
export type BatchResult = { task: TaskResource; error?: undefined } | { task?: undefined; error: FlowForgeError }

/** How a bulk call acts on the tasks that it finds. */
export interface BulkOptions extends CallOptions {
  /** Only count what would be changed. */
  dryRun?: boolean
}

/** What a bulk call did. */
export interface BulkAnswer {
  /** Tasks that were changed, or would be. */
  count: number
  /** False if time ran out before all were found: call again for the rest. */
  complete: boolean
}

/** Leaves a task alone, refusing with ABORTED, unless it is still the one that was read. */
export interface EtagOptions extends CallOptions {
  etag?: string
}

/**
 * Hands in tasks and looks after them, over HTTP/JSON.
 *
 * Names may be whole (`projects/p/tasks/t`) or only the last segment. Every refusal is a FlowForgeError.
 * Calls that got no answer are repeated where doing them twice is harmless; every task is given a request ID for that.
 */
export class Client {
  readonly parent: string
  readonly #transport: Transport

  constructor(options: ClientOptions) {
    this.parent = `projects/${options.project ?? 'default'}`
    this.#transport = options.transport ?? httpTransport(options.url ?? 'http://127.0.0.1:8080', options.apiKey)
  }

  /** Creates a task; once this returns, it is durable and will run. */
  async createTask(task: NewTask, options: CallOptions = {}): Promise<TaskResource> {
    return this.#unary<TaskResource>(calls.createTask, { parent: this.parent, task: withRequestId(task) }, options)
  }

  /** Creates up to 1,000 tasks at once; each succeeds or fails on its own, in the order given. */
  async batchCreateTasks(tasks: NewTask[], options: CallOptions = {}): Promise<BatchResult[]> {
    const requests = tasks.map((task) => ({ task: withRequestId(task) }))
    const request = { parent: this.parent, requests }
    const { results = [] } = await this.#unary<BatchAnswer>(calls.batchCreateTasks, request, options)
    return results.map(({ task, error }) => (task ? { task } : { error: errorOfStatus(error ?? {}) }))
  }

  async getTask(name: string, options: CallOptions = {}): Promise<TaskResource> {
    return this.#unary<TaskResource>(calls.getTask, { name: this.#name('tasks', name) }, options)
  }

  /** The project's tasks, newest first unless `orderBy` says otherwise; further pages are read on the way. */
  listTasks(query: ListQuery = {}, options: CallOptions = {}): Listing<TaskResource> {
    return this.#list<TaskResource>(calls.listTasks, 'tasks', query, options)
  }

  /** Cancels a task: one that waits at once, one that runs when its worker has stopped. */
  async cancelTask(name: string, options: EtagOptions = {}): Promise<TaskResource> {
    return this.#steer<TaskResource>(calls.cancelTask, 'tasks', name, options)
  }

  /** Puts a DEAD or CANCELLED task back, or ends the wait for a backoff. */
  async retryTask(name: string, options: EtagOptions = {}): Promise<TaskResource> {
    return this.#steer<TaskResource>(calls.retryTask, 'tasks', name, options)
  }

  async deleteTask(name: string, options: EtagOptions = {}): Promise<void> {
    await this.#steer(calls.deleteTask, 'tasks', name, options)
  }

  /** Cancels the tasks that a filter such as `queue = mail AND state = READY` finds. */
  async bulkCancelTasks(filter: string, options: BulkOptions = {}): Promise<BulkAnswer> {
    return this.#bulk(calls.bulkCancelTasks, { filter }, options)
  }

  /**
   * Puts back the DEAD and CANCELLED tasks that a filter finds.
   *
   * @param options.ratePerSecond So many become READY per second; all at once if absent.
   */
  async bulkRetryTasks(filter: string, options: BulkOptions & { ratePerSecond?: number } = {}): Promise<BulkAnswer> {
    const { ratePerSecond, ...rest } = options
    return this.#bulk(calls.bulkRetryTasks, { filter, ratePerSecond }, rest)
  }

  /** Deletes the tasks that a filter finds, but for those that run. */
  async bulkDeleteTasks(filter: string, options: BulkOptions = {}): Promise<BulkAnswer> {
    return this.#bulk(calls.bulkDeleteTasks, { filter }, options)
  }

  /**
   * Follows a task: yields it as it is now, then after each change, and ends when it has finished.
   *
   * A broken stream is taken up again where it was; changes in between may be seen as one.
   */
  watchTask(name: string, options: EtagOptions = {}): AsyncGenerator<TaskResource, void> {
    return watchTask(this, this.#transport, this.#name('tasks', name), options)
  }

  async getQueue(name: string, options: CallOptions = {}): Promise<QueueResource> {
    return this.#unary<QueueResource>(calls.getQueue, { name: this.#name('queues', name) }, options)
  }

  listQueues(query: ListQuery = {}, options: CallOptions = {}): Listing<QueueResource> {
    return this.#list<QueueResource>(calls.listQueues, 'queues', query, options)
  }

  /** Changes what `settings` names of a queue and leaves the rest, creating the queue if there is none. */
  async updateQueue(name: string, settings: QueueSettings, options: CallOptions = {}): Promise<QueueResource> {
    const queue = { name: this.#name('queues', name), ...settings }
    const request = { queue, updateMask: Object.keys(settings).join(',') }
    return this.#unary<QueueResource>(calls.updateQueue, request, options)
  }

  async pauseQueue(name: string, options: CallOptions = {}): Promise<QueueResource> {
    return this.#steer<QueueResource>(calls.pauseQueue, 'queues', name, options)
  }

  async resumeQueue(name: string, options: CallOptions = {}): Promise<QueueResource> {
    return this.#steer<QueueResource>(calls.resumeQueue, 'queues', name, options)
  }

  async createSchedule(
    scheduleId: string,
    schedule: NewSchedule,
    options: CallOptions = {},
  ): Promise<ScheduleResource> {
    return this.#unary<ScheduleResource>(calls.createSchedule, { parent: this.parent, scheduleId, schedule }, options)
  }

  async getSchedule(name: string, options: CallOptions = {}): Promise<ScheduleResource> {
    return this.#unary<ScheduleResource>(calls.getSchedule, { name: this.#name('schedules', name) }, options)
  }

  listSchedules(query: ListQuery = {}, options: CallOptions = {}): Listing<ScheduleResource> {
    return this.#list<ScheduleResource>(calls.listSchedules, 'schedules', query, options)
  }

  /** Changes what `changes` names of a schedule and leaves the rest. */
  async updateSchedule(
    name: string,
    changes: Partial<NewSchedule>,
    options: CallOptions = {},
  ): Promise<ScheduleResource> {
    const schedule = { name: this.#name('schedules', name), ...changes }
    const request = { schedule, updateMask: Object.keys(changes).join(',') }
    return this.#unary<ScheduleResource>(calls.updateSchedule, request, options)
  }

  async deleteSchedule(name: string, options: CallOptions = {}): Promise<void> {
    await this.#steer(calls.deleteSchedule, 'schedules', name, options)
  }

  async pauseSchedule(name: string, options: CallOptions = {}): Promise<ScheduleResource> {
    return this.#steer<ScheduleResource>(calls.pauseSchedule, 'schedules', name, options)
  }

  async resumeSchedule(name: string, options: CallOptions = {}): Promise<ScheduleResource> {
    return this.#steer<ScheduleResource>(calls.resumeSchedule, 'schedules', name, options)
  }

  /** Creates the schedule's task now, beside its regular times. */
  async runSchedule(name: string, options: CallOptions = {}): Promise<TaskResource> {
    return this.#steer<TaskResource>(calls.runSchedule, 'schedules', name, options)
  }

  /**
   * Creates the tasks of all fire times from `startTime`, inclusive, until `endTime`, exclusive, that have none yet, and
   * answers with their names.
   */
  async backfillSchedule(
    name: string,
    stretch: { startTime: string; endTime: string },
    options: CallOptions = {},
  ): Promise<string[]> {
    const request = { name: this.#name('schedules', name), ...stretch }
    const { tasks = [] } = await this.#unary<{ tasks?: string[] }>(calls.backfillSchedule, request, options)
    return tasks
  }

  /** Lets go of connections; calls that are under way may fail. */
  close(): void {
    this.#transport.close()
  }

  #list<T>(call: Call, field: string, query: ListQuery, options: CallOptions): Listing<T> {
    return new Listing<T>(async (pageToken) => {
      const request = { ...query, parent: this.parent, pageToken }
      const page = await this.#unary<Record<string, unknown>>(call, request, options)
      return { items: (page[field] ?? []) as T[], nextPageToken: (page.nextPageToken ?? '') as string }
    }, query.pageToken)
  }

  #steer<T>(call: Call, collection: string, name: string, { etag, ...options }: EtagOptions): Promise<T> {
    const request = { name: this.#name(collection, name), ...(etag === undefined ? {} : { etag }) }
    return this.#unary<T>(call, request, options)
  }

  async #bulk(call: Call, fields: object, { dryRun, ...options }: BulkOptions): Promise<BulkAnswer> {
    const request = { parent: this.parent, ...fields, dryRun }
    const answer = await this.#unary<{ count?: string; complete?: boolean }>(call, request, {
      timeoutMs: bulkTimeoutMs,
      ...options,
    })
    return { count: Number(answer.count ?? 0), complete: answer.complete ?? false }
  }

  async #unary<T>(call: Call, request: object, options: CallOptions): Promise<T> {
    return withRetry(call.isIdempotent, options.signal, async (attempt) => {
      try {
        return (await this.#transport.unary(call, request as JsonObject, options)) as T
      } catch (error) {
        // The answer to an earlier attempt may be what was lost, not the attempt.
        const isGone = call.verb === 'DELETE' && attempt > 1 && (error as FlowForgeError).status === 'NOT_FOUND'
        if (isGone) return {} as T
        throw error
      }
    })
  }

  #name(collection: string, name: string): string {
    return name.includes('/') ? name : `${this.parent}/${collection}/${name}`
  }
}

interface BatchAnswer {
  results?: { task?: TaskResource; error?: StatusResource }[]
}

function withRequestId(task: NewTask): NewTask {
  return task.requestId ? task : { ...task, requestId: randomUUID() }
}
