/** FlowForge's own API, for scenarios that nobody else takes part in: calls and handlers run in the harness itself. */
import { Worker, type Handler } from '@flowforge/sdk'
import { connection } from '@flowforge/sdk/connection'
import { Queue, QueueServiceClient } from '@flowforge/proto/flowforge/tasks/v1/queue_service.ts'
import { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { TaskServiceClient } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import {
  LeaseTasksRequest,
  WorkerServiceClient,
  type LeasedTask,
} from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { identityOf } from '@flowforge/runtime/identity'
import pg from 'pg'
import type { Bench } from './bench.ts'
import type { TasksService } from './tasks-service.ts'

const parent = 'projects/default'
const type = 'load'
const batch = 1_000
const callers = 4

export class Ours {
  /** The database, as its superuser. */
  readonly sql: pg.Pool
  readonly #service: TasksService
  readonly #told: Bench['told']
  readonly #tasks: TaskServiceClient
  readonly #queues: QueueServiceClient
  readonly #workers: WorkerServiceClient
  readonly #running = new Set<Worker>()

  constructor(bench: Bench, service = bench.service!) {
    this.#service = service
    this.#told = bench.told
    const { address, credentials, options } = connection(this.#connectionOf('operator'))
    this.#tasks = new TaskServiceClient(address, credentials, options)
    this.#queues = new QueueServiceClient(address, credentials, options)
    this.#workers = new WorkerServiceClient(address, credentials, options)
    this.sql = new pg.Pool({ connectionString: bench.store.url, max: 2, application_name: 'flowforge-load' })
    this.sql.on('error', () => {})
  }

  create(task: Partial<Task>): Promise<Task> {
    const request = { parent, task: Task.fromPartial({ type, ...task }), requestId: '' }
    return new Promise((resolve, reject) =>
      this.#tasks.createTask(request, (error, created) => {
        if (error) return reject(error)
        this.#told.created(created)
        resolve(created)
      }),
    )
  }

  /** Creates `count` tasks, 1,000 to a call and four calls at a time. */
  async createMany(count: number, taskOf: (n: number) => Partial<Task>): Promise<void> {
    let next = 0
    const caller = async () => {
      while (next < count) {
        const from = next
        next = Math.min(count, next + batch)
        const requests = Array.from({ length: next - from }, (_, i) => ({
          parent,
          task: Task.fromPartial({ type, ...taskOf(from + i) }),
          requestId: '',
        }))
        await new Promise<void>((resolve, reject) =>
          this.#tasks.batchCreateTasks({ parent, requests }, (error, response) => {
            const refused = response?.results.find(({ outcome }) => outcome?.$case !== 'task')
            if (error ?? refused) return reject(error ?? new Error(`a task was refused: ${JSON.stringify(refused)}`))
            for (const { outcome } of response!.results)
              if (outcome?.$case === 'task') this.#told.created(outcome.value)
            resolve()
          }),
        )
      }
    }
    await Promise.all(Array.from({ length: callers }, caller))
  }

  setQueue(name: string, settings: Partial<Queue>, updateMask: string[]): Promise<unknown> {
    const queue = Queue.fromPartial({ ...settings, name: `${parent}/queues/${name}` })
    return new Promise((resolve, reject) =>
      this.#queues.updateQueue({ queue, updateMask }, (error, changed) => (error ? reject(error) : resolve(changed))),
    )
  }

  /** Leases up to `maxTasks` of what is READY now. */
  lease(maxTasks: number): Promise<LeasedTask[]> {
    const request = LeaseTasksRequest.fromPartial({ parent, worker: 'load', maxTasks })
    return new Promise((resolve, reject) =>
      this.#workers.leaseTasks(request, (error, response) => {
        if (error) return reject(error)
        for (const { lease } of response.tasks) this.#told.leased(lease!)
        resolve(response.tasks)
      }),
    )
  }

  complete({ lease }: LeasedTask): Promise<void> {
    const success = { $case: 'success' as const, value: { result: undefined } }
    const request = { name: lease!.task, lease, result: undefined }
    return new Promise((resolve, reject) =>
      this.#workers.completeTask(request, (error) => {
        if (error) return reject(error)
        this.#told.settled({ lease, outcome: success }, 'accepted')
        resolve()
      }),
    )
  }

  /** Starts a worker of this process; it ends with `close`, or before. */
  async work(queue: string, capacity: number, handler: Handler): Promise<Worker> {
    const worker = new Worker({
      ...this.#connectionOf('worker'),
      parent,
      queues: [queue],
      handlers: { [type]: handler },
      capacity,
      onLeased: this.#told.leased,
      onSettled: this.#told.settled,
    })
    this.#running.add(worker)
    await worker.start()
    return worker
  }

  /** Ends its workers. */
  async close(): Promise<void> {
    await Promise.all([...this.#running].map((worker) => worker.drain(1_000)))
    await this.sql.end()
    for (const client of [this.#tasks, this.#queues, this.#workers]) client.close()
  }

  #connectionOf(component: string) {
    const { address, certificates } = this.#service
    return { address, tls: { folder: `${certificates}/${component}`, serverName: identityOf('tasks') } }
  }
}
