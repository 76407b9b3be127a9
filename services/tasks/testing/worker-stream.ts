/** A worker's end of a stream, spoken by hand. */
import {
  WorkRequest,
  type LeasedTask,
  type WorkRequest_Hello,
  type WorkResponse,
  type WorkResponse_Acknowledgement,
} from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { until } from '@flowforge/runtime/testing/poll'
import type { TestTasks } from './tasks-service.ts'

/** What is received, with acknowledgements one by one however they came together. */
type Received =
  | Exclude<NonNullable<WorkResponse['message']>, { $case: 'acknowledgements' }>
  | { $case: 'acknowledgement'; value: WorkResponse_Acknowledgement }
type Case = Received['$case']
type Value<C extends Case> = Extract<Received, { $case: C }>['value']

/** Opens one for tasks of a project. */
export function openStream(service: TestTasks, parent: string, hello: Partial<WorkRequest_Hello> = {}) {
  const call = service.workers.work()
  const received: Received[] = []
  let end: { code: number; message: string } | undefined
  call.on('data', ({ message }: WorkResponse) => {
    if (message?.$case !== 'acknowledgements') received.push(message!)
    else received.push(...message.value.acknowledgements.map((value) => ({ $case: 'acknowledgement' as const, value })))
  })
  call.on('error', () => undefined)
  call.on('status', (status) => {
    end = { code: status.code, message: status.details }
    clearInterval(heartbeats)
  })
  const heartbeats = setInterval(() => send({ $case: 'heartbeat', value: {} }), 300)
  const send = (message: Partial<NonNullable<WorkRequest['message']>>) => void call.write({ message } as WorkRequest)
  const take = async <C extends Case>($case: C): Promise<Value<C>> => {
    const index = () => received.findIndex((message) => message.$case === $case)
    await until(() => index() >= 0)
    return received.splice(index(), 1)[0]!.value as Value<C>
  }
  const stop = (): void => clearInterval(heartbeats)
  send(
    WorkRequest.fromPartial({ message: { $case: 'hello', value: { parent, worker: 'w', capacity: 10, ...hello } } })
      .message!,
  )
  return {
    send,
    take,
    received,
    /** Resolves with the status that the stream ended with. */
    async ended() {
      await until(() => end !== undefined, { deadlineMs: 10_000 })
      return end!
    },
    succeed: (leased: LeasedTask) =>
      send({
        $case: 'outcomes',
        value: { outcomes: [{ lease: leased.lease, outcome: { $case: 'success', value: { result: { ok: true } } } }] },
      }),
    /** Goes silent without closing, as a stopped process does. */
    freeze: stop,
    close: () => (stop(), call.end()),
    /** Breaks the stream, as a lost connection does. */
    break: () => (stop(), call.cancel()),
  }
}
