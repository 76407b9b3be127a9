/**
 * One physical `Work` stream: hello, welcome, heartbeats, and the judgement whether the server still lives.
 *
 *   opening ──Welcome──► open ──end()──► closed
 *      └── no Welcome in 10 s     └── error, or a heartbeat without an answer ──► closed
 */
import type { ClientDuplexStream } from '@grpc/grpc-js'
import {
  WorkerServiceClient,
  type Outcome,
  type WorkRequest,
  type WorkRequest_Hello,
  type WorkResponse,
  type WorkResponse_Welcome,
} from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { connection, type ConnectionOptions } from './connection.ts'
import { toMs } from './duration.ts'

/** What a session hears from one of its streams. */
export interface WorkStreamEvents {
  onWelcome(welcome: WorkResponse_Welcome): void
  onMessage(message: NonNullable<WorkResponse['message']>): void
  /** Comes exactly once, and nothing after it; without an error when the server closed the stream in order. */
  onClosed(error: Error | undefined): void
}

export type WorkRequestMessage = NonNullable<WorkRequest['message']>

const welcomeMs = 10_000
const heartbeatIntervalMsMin = 100
const silenceMsMax = 15_000
const outcomesMax = 1000
/** With results of 256 KiB each, the most that may be, a message stays below the server's 4 MiB. */
const largeOutcomesMax = 15

/** Opens a stream on a connection of its own, so that a stream after GoAway or a failure reaches a server that lives. */
export class WorkStream {
  readonly #client: WorkerServiceClient
  readonly #call: ClientDuplexStream<WorkRequest, WorkResponse>
  readonly #events: WorkStreamEvents
  #welcomeTimer: NodeJS.Timeout | undefined
  #heartbeatTimer: NodeJS.Timeout | undefined
  #silenceTimer: NodeJS.Timeout | undefined
  #silenceMs = silenceMsMax
  readonly #outcomes: Outcome[] = []
  #isEnded = false
  #isClosed = false

  constructor(to: ConnectionOptions, hello: WorkRequest_Hello, events: WorkStreamEvents) {
    const { address, credentials, options } = connection(to)
    // A pool of its own keeps grpc-js from handing out the connection that just failed or says GOAWAY.
    this.#client = new WorkerServiceClient(address, credentials, { ...options, 'grpc.use_local_subchannel_pool': 1 })
    this.#events = events
    this.#call = this.#client.work()
    this.#call.on('data', (response: WorkResponse) => this.#receive(response))
    this.#call.on('error', (error: Error) => this.#close(error))
    this.#call.on('end', () => this.#close(undefined))
    this.#welcomeTimer = setTimeout(() => this.#close(new Error(`no Welcome within ${welcomeMs} ms`)), welcomeMs)
    this.send({ $case: 'hello', value: hello })
  }

  /** Sends a message; one sent on a stream that has ended is gone, and the session says it again on the next. */
  send(message: WorkRequestMessage): void {
    if (!this.#isEnded && !this.#isClosed) this.#call.write({ message })
  }

  /** Reports an outcome, together with those that are reported in the same turn. */
  report(outcome: Outcome): void {
    if (this.#outcomes.push(outcome) === 1) setImmediate(() => this.#flush())
  }

  #flush(): void {
    for (const outcomes of messagesOf(this.#outcomes.splice(0))) this.send({ $case: 'outcomes', value: { outcomes } })
  }

  /** Says that nothing more comes; the server closes the stream in answer. */
  end(): void {
    if (this.#isClosed) return
    clearInterval(this.#heartbeatTimer)
    this.#flush()
    this.#isEnded = true
    this.#call.end()
    // A server that does not answer is given up like one that does not answer heartbeats.
    this.#silenceTimer ??= setTimeout(() => this.#close(undefined), this.#silenceMs)
  }

  /** Tears the stream down at once. */
  destroy(): void {
    this.#close(undefined)
  }

  #receive({ message }: WorkResponse): void {
    if (this.#isClosed || !message) return
    switch (message.$case) {
      case 'welcome':
        clearTimeout(this.#welcomeTimer)
        this.#startHeartbeats(message.value)
        return this.#events.onWelcome(message.value)
      case 'heartbeatAck':
        clearTimeout(this.#silenceTimer)
        this.#silenceTimer = undefined
        return
      default:
        return this.#events.onMessage(message)
    }
  }

  #startHeartbeats(welcome: WorkResponse_Welcome): void {
    const stated = welcome.heartbeatInterval ? toMs(welcome.heartbeatInterval) : 3_000
    const intervalMs = Math.max(heartbeatIntervalMsMin, stated)
    // A heartbeat goes out every interval, so the wait for its answer must leave room for one within the bound.
    this.#silenceMs = Math.max(intervalMs, Math.min(2 * intervalMs, silenceMsMax - intervalMs))
    this.#heartbeatTimer = setInterval(() => this.#sendHeartbeat(), intervalMs)
  }

  #sendHeartbeat(): void {
    this.send({ $case: 'heartbeat', value: {} })
    this.#silenceTimer ??= setTimeout(() => {
      // A handler may have blocked this thread for long: read what the socket holds before judging the server.
      setImmediate(() => {
        if (this.#silenceTimer) this.#close(new Error(`no answer to a heartbeat within ${this.#silenceMs} ms`))
      })
    }, this.#silenceMs)
  }

  #close(error: Error | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#welcomeTimer)
    clearInterval(this.#heartbeatTimer)
    clearTimeout(this.#silenceTimer)
    this.#call.cancel()
    this.#client.close()
    this.#events.onClosed(error)
  }
}

function* messagesOf(outcomes: Outcome[]): Generator<Outcome[]> {
  let from = 0
  let large = 0
  for (let i = 0; i < outcomes.length; i++) {
    const isLarge = mayBeLarge(outcomes[i]!)
    if (i - from === outcomesMax || (isLarge && large === largeOutcomesMax)) {
      yield outcomes.slice(from, i)
      from = i
      large = 0
    }
    if (isLarge) large += 1
  }
  if (from < outcomes.length) yield outcomes.slice(from)
}

function mayBeLarge({ outcome }: Outcome): boolean {
  return outcome?.$case === 'failure' || (outcome?.$case === 'success' && outcome.value.result !== undefined)
}
