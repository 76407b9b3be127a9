import { EventEmitter, once } from 'node:events'
import type { TestContext } from 'node:test'
import { EventServiceService } from '@flowforge/proto/flowforge/tasks/v1/event_service.ts'
import { Task, TaskState } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import {
  BatchCreateTasksResponse_Result,
  type CreateTaskRequest,
  TaskServiceService,
} from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { createHealth } from '@flowforge/runtime/health'
import { type Service, service, startServer } from '@flowforge/runtime/server'
import { invalidArgument, permissionDenied, toRpcStatus, unavailable } from '@flowforge/runtime/status'
import type { TestCertificates } from '@flowforge/runtime/testing/certificates'
import { quietLog } from '@flowforge/runtime/testing/log'

/**
 * Stands in for the tasks service on a real socket, so that a test decides what ends when and which call fails.
 * The two together are tested in services/system.
 */
export interface TasksStandIn {
  address: string
  /** How many streams are open now, and for which projects. */
  streams: Set<string[]>
  /** What was handed over, by request ID. */
  created: Map<string, CreateTaskRequest>
  /** How many hand-overs were refused. */
  refusals: number
  /** While set, BatchCreateTasks refuses: the whole call, or each item. */
  failure: 'none' | 'call' | 'item' | 'item for good'
  /** While true, no stream is opened. */
  refusesStreams: boolean
  /** While true, cursors are refused. */
  refusesCursors: boolean
  /** Ends a task and tells the streams. */
  end(task?: Partial<Task>): Task
}

/** Starts a stand-in under the certificate of the tasks service. */
export async function standInForTasks(t: TestContext, certificates: TestCertificates): Promise<TasksStandIn> {
  const ended: Task[] = []
  const news = new EventEmitter().setMaxListeners(0)
  const standIn: TasksStandIn = {
    address: '',
    streams: new Set(),
    created: new Map(),
    refusals: 0,
    failure: 'none',
    refusesStreams: false,
    refusesCursors: false,
    end(task = {}) {
      const one = endedTask(ended.length, task)
      ended.push(one)
      news.emit('ended')
      return one
    },
  }
  const events = service(EventServiceService, {
    async streamFinishedTasks(request, { signal }, send) {
      if (standIn.refusesStreams) throw permissionDenied('TEST', 'not you')
      if (standIn.refusesCursors && request.cursor !== '') {
        throw invalidArgument({ field: 'cursor', description: 'is not known any more' })
      }
      let position = request.cursor === '' ? ended.length : Number(request.cursor)
      standIn.streams.add(request.parents)
      signal.addEventListener('abort', () => standIn.streams.delete(request.parents))
      if (request.cursor === '') await send({ tasks: [], cursor: String(position) })
      while (!signal.aborted) {
        const tasks = ended.slice(position).filter(({ name }) => request.parents.includes(parentOf(name)))
        if (position < ended.length) {
          position = ended.length
          await send({ tasks, cursor: String(position) })
        } else await once(news, 'ended', { signal }).catch(() => {})
      }
    },
  })
  const tasks = {
    definition: { batchCreateTasks: TaskServiceService.batchCreateTasks },
    handlers: {
      async batchCreateTasks({ parent, requests }: { parent: string; requests: CreateTaskRequest[] }) {
        if (standIn.failure !== 'none') standIn.refusals += 1
        if (standIn.failure === 'call') throw unavailable('TEST', 'not now')
        return { results: requests.map((request) => create(standIn, parent, request)) }
      },
    },
  } satisfies Service
  const server = await startServer({
    listen: '127.0.0.1:0',
    workload: certificates.workloadOf('tasks'),
    services: [events, tasks],
    log: quietLog,
    health: createHealth(),
  })
  t.after(() => server.stop(0))
  standIn.address = `127.0.0.1:${server.port}`
  return standIn
}

function create(standIn: TasksStandIn, parent: string, request: CreateTaskRequest): BatchCreateTasksResponse_Result {
  if (standIn.failure !== 'none') {
    const refusal = standIn.failure === 'item' ? unavailable('TEST', 'not now') : invalidArgument([])
    return { outcome: { $case: 'error', value: toRpcStatus(refusal) } }
  }
  standIn.created.set(request.requestId, request)
  const uid = [...standIn.created.keys()].indexOf(request.requestId)
  return {
    outcome: { $case: 'task', value: Task.create({ ...request.task, name: `${parent}/tasks/delivery-${uid}` }) },
  }
}

function endedTask(number: number, task: Partial<Task>): Task {
  const uid = `00000000-0000-7000-8000-${String(number).padStart(12, '0')}`
  return Task.create({
    name: `projects/default/tasks/${uid}`,
    uid,
    type: 'echo',
    queue: 'default',
    state: TaskState.TASK_STATE_SUCCEEDED,
    finishTime: new Date(),
    ...task,
  })
}

function parentOf(name: string): string {
  return name.split('/').slice(0, 2).join('/')
}
