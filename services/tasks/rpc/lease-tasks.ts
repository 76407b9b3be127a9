import type { Duration } from '@flowforge/proto/opaque/google/protobuf/duration.ts'
import type {
  LeaseTasksRequest,
  LeaseTasksResponse,
} from '@flowforge/proto/opaque/flowforge/tasks/v1/worker_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import type { Taker } from '../engine/dispatcher.ts'
import { leaseOf } from '../engine/fence.ts'
import type { LeasedRow } from '../engine/lease.ts'
import { readyQueues } from '../engine/queues.ts'
import { newSessionId } from '../engine/sessions.ts'
import { leasedBytes, leasedTaskMessage } from './lease-message.ts'
import { parseProject } from './names.ts'
import type { Tasks } from './tasks.ts'
import { Violations } from './violations.ts'

const tasksMax = 1000
const waitMsMax = 30_000

/** LeaseTasks: takes what is READY now, or waits for the first task. */
export function leaseTasks({ engine }: Tasks): UnaryHandler<LeaseTasksRequest, LeaseTasksResponse> {
  return async ({ parent, worker, queues, types, maxTasks, wait, leaseDuration }, { signal, draining }) => {
    const project = parseProject(parent)
    const violations = new Violations()
    violations.check(maxTasks >= 0 && maxTasks <= tasksMax, 'max_tasks', `must be between 1 and ${tasksMax}`)
    violations.check(worker.length >= 1, 'worker', 'is required')
    violations.text('worker', worker, 255)
    const waitMs = violations.duration('wait', wait, 0, waitMsMax) ?? 0
    const leaseMs = leaseMsOf(violations, leaseDuration)
    violations.throwIfAny()

    const { promise, resolve } = Promise.withResolvers<LeasedRow[]>()
    const taker: Taker = {
      sessionId: await newSessionId(engine.pool),
      worker,
      project: project === '-' ? undefined : project,
      queues: new Set(queues),
      types: types.toSorted(),
      room: maxTasks || 1,
      isSilent: () => false,
      leaseMs,
      give: (rows) => {
        // The first leases end the wait; a call is one answer.
        taker.room = 0
        resolve(rows)
      },
      // It has its leases for as long as it asked for, whether it hears of them or not: so short that nobody need look.
      doubt: () => undefined,
    }
    engine.dispatcher.add(taker)
    engine.look(await readyQueues(engine.pool))
    const giveUp = async (): Promise<void> => {
      // Not before all that is READY now was looked at: also who does not wait gets what there is.
      await Promise.race([promise, engine.dispatcher.idle()])
      await engine.dispatcher.remove(taker)
      resolve([])
    }
    const timer = setTimeout(() => void giveUp(), waitMs)
    const onAbort = (): void => void giveUp()
    for (const abort of [signal, draining]) abort.addEventListener('abort', onAbort, { once: true })
    const rows = await promise
    clearTimeout(timer)
    for (const abort of [signal, draining]) abort.removeEventListener('abort', onAbort)
    await engine.dispatcher.remove(taker)
    const kept = signal.aborted ? [] : fitting(rows)
    engine.giveBack(rows.slice(kept.length).map(leaseOf))
    return {
      tasks: await Promise.all(
        kept.map(async (row) => leasedTaskMessage(row, (await engine.queues.byId(row.queue_id)).name)),
      ),
    }
  }
}

/** As many as fit an answer of 3 MiB, and one at least: clients refuse messages over 4 MiB unless told otherwise. */
function fitting(rows: LeasedRow[]): LeasedRow[] {
  let bytes = 0
  const count = rows.findIndex((row, i) => (bytes += leasedBytes(row)) > 3 * 2 ** 20 && i > 0)
  return count === -1 ? rows : rows.slice(0, count)
}

/** How long unary leases last: 30 s unless asked otherwise. */
export function leaseMsOf(violations: Violations, leaseDuration: Duration | undefined): number {
  return violations.duration('lease_duration', leaseDuration, 2000, 3_600_000) ?? 30_000
}
