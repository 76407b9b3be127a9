/**
 * The gateway that most would write: fastify, a handler for each route, grpc-js, and ts-proto's messages and JSON.
 * Arguments: the backend's address, and the folder of ts-proto's code with JSON methods.
 */
import { join } from 'node:path'
import { credentials, Metadata, type Client, type ServiceError } from '@grpc/grpc-js'
import fastify from 'fastify'

interface Message {
  fromJSON(value: unknown): unknown
  toJSON(value: unknown): unknown
}

type Call = (
  request: unknown,
  metadata: Metadata,
  options: object,
  end: (error: ServiceError | null, answer: unknown) => void,
) => void

const [target, folder] = process.argv.slice(2) as [string, string]
// Generated when the benchmark starts, so the compiler knows nothing of it.
const { Task } = (await import(join(folder, 'flowforge/tasks/v1/task.ts'))) as { Task: Message }
const { TaskServiceClient, GetTaskRequest, CreateTaskRequest } = (await import(
  join(folder, 'flowforge/tasks/v1/task_service.ts')
)) as {
  TaskServiceClient: new (...args: unknown[]) => Client & { getTask: Call; createTask: Call }
  GetTaskRequest: Message
  CreateTaskRequest: Message
}

const client = new TaskServiceClient(target, credentials.createInsecure(), { 'grpc.enable_channelz': 0 })
const call = (name: 'getTask' | 'createTask', request: unknown): Promise<unknown> =>
  new Promise((resolve, reject) => {
    client[name](request, new Metadata(), { deadline: Date.now() + 5_000 }, (error, answer) =>
      error ? reject(error) : resolve(Task.toJSON(answer)),
    )
  })

const app = fastify()
app.get<{ Params: { project: string; task: string } }>('/v1/projects/:project/tasks/:task', ({ params }) =>
  call('getTask', GetTaskRequest.fromJSON({ name: `projects/${params.project}/tasks/${params.task}` })),
)
app.post<{ Params: { project: string } }>('/v1/projects/:project/tasks', ({ params, body }) =>
  call('createTask', CreateTaskRequest.fromJSON({ parent: `projects/${params.project}`, task: body })),
)
await app.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`${(app.addresses()[0] as { port: number }).port}\n`)
