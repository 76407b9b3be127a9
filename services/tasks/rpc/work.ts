/** Work: a worker's stream, from its hello to its end. The stream itself is rpc/work-stream.ts. */
import type {
  WorkRequest,
  WorkRequest_Hello,
  WorkResponse,
} from '@flowforge/proto/opaque/flowforge/tasks/v1/worker_service.ts'
import type { BidiHandler } from '@flowforge/runtime/server'
import { invalidArgument } from '@flowforge/runtime/status'
import { leaseId, type LeaseKey } from '../engine/fence.ts'
import { readyQueues } from '../engine/queues.ts'
import { closeSession, expireSession, openSession, resumeSession, sessionLeases } from '../engine/sessions.ts'
import { durationOf } from './task-message.ts'
import { leaseKeyOf } from './lease-message.ts'
import { parseProject } from './names.ts'
import type { Tasks } from './tasks.ts'
import { Violations } from './violations.ts'
import { WorkStream } from './work-stream.ts'
import type { WorkStreams } from './work-streams.ts'

const capacityMax = 10_000

/** Serves one stream; resolves when the worker has closed its side and all its outcomes are answered. */
export function work(tasks: Tasks, streams: WorkStreams): BidiHandler<WorkRequest, WorkResponse> {
  return async (call, context) => {
    const { engine } = tasks
    const requests = call.requests[Symbol.asyncIterator]()
    const first = await requests.next()
    if (first.done) return
    const hello = helloOf(first.value)
    const leases = checkHello(hello)
    const { session, held, lost, isResumed } = await openOrResume(tasks, streams, hello, leases)
    const stream = new WorkStream({
      tasks,
      call,
      context,
      hello,
      session,
      // A heartbeat is missing that should have come after a third.
      silenceMsMax: streams.sessionTimeoutMs / 2,
      held,
      onDoubt: (doubted) => streams.doubt(doubted),
    })
    streams.add(stream)
    // A lease statement of the instance that served the session before may commit only now.
    if (isResumed) streams.doubt(stream)
    try {
      call.send({
        message: {
          $case: 'welcome',
          value: {
            session: session.id,
            sessionToken: session.token,
            heartbeatInterval: durationOf(Math.floor(streams.sessionTimeoutMs / 3)),
            sessionTimeout: durationOf(streams.sessionTimeoutMs),
            resumed: isResumed,
          },
        },
      })
      for (const lease of lost) stream.lost(lease)
      engine.dispatcher.add(stream.taker)
      engine.look(await readyQueues(engine.pool))
      await Promise.race([serve(stream, requests), stream.interrupted])
    } finally {
      streams.remove(stream)
      await engine.dispatcher.remove(stream.taker)
      await end(tasks, stream, streams.sessionGraceMs)
    }
  }
}

async function end(
  { engine }: Tasks,
  { session, isClosedByWorker, isDraining }: WorkStream,
  graceMs: number,
): Promise<void> {
  try {
    const left = isClosedByWorker ? await closeSession(engine.pool, session) : []
    // On their way when the worker left: it never saw them. A worker that only died did not say that it would leave.
    if (isDraining) engine.giveBack(left)
    // What the worker still holds, it may come back for.
    await expireSession(engine.pool, session, graceMs)
  } catch (error) {
    engine.log.warn({ err: error, session: String(session.id) }, 'could not end a session; it expires by itself')
  }
}

async function openOrResume({ engine }: Tasks, streams: WorkStreams, hello: WorkRequest_Hello, leases: LeaseKey[]) {
  const session =
    hello.session === 0n
      ? undefined
      : await resumeSession(engine.pool, hello.session, hello.sessionToken, streams.sessionTimeoutMs)
  if (!session) {
    const opened = await openSession(engine.pool, hello.worker, streams.sessionTimeoutMs)
    return { session: opened, held: [], lost: leases, isResumed: false }
  }
  // The old stream may not have noticed that it is dead.
  await streams.supersede(session.id)
  const kept = new Set(leases.map(leaseId))
  const stored = await sessionLeases(engine.pool, [session])
  // Leases on their way when the stream broke: the worker never saw them.
  engine.giveBack(stored.filter((lease) => !kept.has(leaseId(lease))))
  const held = stored.filter((lease) => kept.has(leaseId(lease)))
  const heldIds = new Set(held.map(leaseId))
  return { session, held, lost: leases.filter((lease) => !heldIds.has(leaseId(lease))), isResumed: true }
}

async function serve(stream: WorkStream, requests: AsyncIterator<WorkRequest>): Promise<void> {
  for (let next = await requests.next(); !next.done; next = await requests.next()) stream.receive(next.value)
  await stream.closedByWorker()
}

function helloOf(request: WorkRequest): WorkRequest_Hello {
  if (request.message?.$case !== 'hello')
    throw invalidArgument({ field: 'message', description: 'the first message must be hello' })
  return request.message.value
}

function checkHello(hello: WorkRequest_Hello): LeaseKey[] {
  const violations = new Violations()
  if (hello.parent !== 'projects/-') parseProject(hello.parent, 'hello.parent')
  violations.check(hello.worker.length >= 1, 'hello.worker', 'is required')
  violations.text('hello.worker', hello.worker, 255)
  violations.check(
    hello.capacity >= 1 && hello.capacity <= capacityMax,
    'hello.capacity',
    `must be between 1 and ${capacityMax}`,
  )
  violations.throwIfAny()
  return hello.leases.map((lease, i) => leaseKeyOf(lease, `hello.leases[${i}]`))
}
