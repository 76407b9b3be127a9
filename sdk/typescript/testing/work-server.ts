/** A peer that speaks `Work` as a test tells it to: for what the real service cannot be made to do on demand. */
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import {
  WorkerServiceService,
  type Outcome,
  type WorkRequest,
  type WorkRequest_Hello,
  type WorkResponse,
} from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import type { Status } from '@flowforge/proto/google/rpc/status.ts'
import { fromMs } from '../duration.ts'

/** What arrives, with outcomes one by one however they came together. */
type Arrived =
  | Exclude<NonNullable<WorkRequest['message']>, { $case: 'outcomes' }>
  | { $case: 'outcome'; value: Outcome }
type Case = Arrived['$case']
type Message<C extends Case> = Extract<Arrived, { $case: C }>['value']

/** One stream that a worker opened. */
export class WorkerStream {
  readonly #call: ServerDuplexStream<WorkRequest, WorkResponse>
  readonly #arrived: Arrived[] = []
  #wake = (): void => {}
  #end = (): void => {}
  readonly ended: Promise<void> = new Promise((resolve) => (this.#end = resolve))
  answersHeartbeats = true

  constructor(call: ServerDuplexStream<WorkRequest, WorkResponse>) {
    this.#call = call
    call.on('data', ({ message }: WorkRequest) => this.#receive(message!))
    call.on('error', () => this.#end())
    call.on('cancelled', () => this.#end())
    call.on('end', () => {
      call.end()
      this.#end()
    })
  }

  /** The next message of a kind, in the order of arrival; other kinds stay. */
  async next<C extends Case>(kind: C): Promise<Message<C>> {
    for (;;) {
      const index = this.#arrived.findIndex((message) => message.$case === kind)
      if (index >= 0) return this.#arrived.splice(index, 1)[0]!.value as Message<C>
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  /** What arrived of a kind and was not taken. */
  waiting(kind: Case): number {
    return this.#arrived.filter((message) => message.$case === kind).length
  }

  send(message: NonNullable<WorkResponse['message']>): void {
    this.#call.write({ message })
  }

  async welcome({
    resumed = false,
    session = 7n,
    heartbeatMs = 100,
    timeoutMs = 10_000,
  } = {}): Promise<WorkRequest_Hello> {
    const hello = await this.next('hello')
    const intervals = { heartbeatInterval: fromMs(heartbeatMs), sessionTimeout: fromMs(timeoutMs) }
    this.send({ $case: 'welcome', value: { session, sessionToken: 'secret', resumed, ...intervals } })
    return hello
  }

  lease(uid: string, task: Partial<Task> = {}, attempt = 1): void {
    const name = `projects/default/tasks/${uid}`
    const lease = { task: name, attempt, session: 7n }
    const full = Task.fromPartial({ name, uid, type: 'test', ...task })
    this.send({ $case: 'leases', value: { tasks: [{ lease, task: full, expireTime: undefined, traceparent: '' }] } })
  }

  acknowledge({ lease }: Outcome, status: Status = { code: 0, message: '', details: [] }): void {
    this.send({ $case: 'acknowledgements', value: { acknowledgements: [{ lease, status }] } })
  }

  /** Ends the stream as a failing server does. */
  break(code: number): void {
    this.#call.emit('error', { code, details: 'broken by the test' })
  }

  #receive(message: NonNullable<WorkRequest['message']>): void {
    if (message.$case === 'heartbeat' && this.answersHeartbeats) this.send({ $case: 'heartbeatAck', value: {} })
    if (message.$case === 'outcomes')
      this.#arrived.push(...message.value.outcomes.map((value) => ({ $case: 'outcome' as const, value })))
    else this.#arrived.push(message)
    this.#wake()
  }
}

/** Listens in plaintext on a free port; `next()` gives the streams as they are opened. */
export async function startWorkServer(): Promise<{ address: string; next(): Promise<WorkerStream>; stop(): void }> {
  const streams: WorkerStream[] = []
  let wake = (): void => {}
  const server = new Server()
  server.addService(WorkerServiceService, {
    work: (call: ServerDuplexStream<WorkRequest, WorkResponse>) => {
      streams.push(new WorkerStream(call))
      wake()
    },
  })
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  )
  const next = async (): Promise<WorkerStream> => {
    while (streams.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    return streams.shift()!
  }
  return { address: `127.0.0.1:${port}`, next, stop: () => server.forceShutdown() }
}
