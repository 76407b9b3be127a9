/**
 * The experiments' worker: a process on the SDK's session that writes down what it was told, line by line.
 *
 * `chaos.work` takes as long as its payload says; `chaos.poison` kills the process, as a task that needs more memory than
 * there is does.
 */
import { hostname } from 'node:os'
import { until } from '@flowforge/local/until'
import { startAdmin } from '@flowforge/runtime/admin'
import { identityOf } from '@flowforge/runtime/identity'
import { runProcess } from '@flowforge/runtime/run-process'
import type { Lease, LeasedTask, Outcome } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { Session } from '@flowforge/sdk/session'
import { HistoryFile, type Verdict } from '@flowforge/tasks/proof/history/events'
import { readWorkerConfig } from './config.ts'

const drainMsMax = 2_000

await runProcess('worker', async ({ log, health, onStop }) => {
  const config = readWorkerConfig()
  const history = new HistoryFile(`${config.history}.${process.pid}.ndjson`, `worker ${process.pid}`)
  const running = new Map<string, NodeJS.Timeout>()
  const session = new Session(
    {
      address: config.tasksAddress,
      tls: {
        folder: config.certificates,
        serverName: identityOf('tasks', { namespace: config.namespace, trustDomain: config.trustDomain }),
      },
    },
    {
      parent: 'projects/-',
      worker: `${hostname()}/${process.pid}`,
      queues: [],
      types: ['chaos.work', 'chaos.poison'],
      capacity: config.capacity,
    },
    { onLease, onCancel: () => {}, onLost, onSettled },
    log,
  )
  const ready = () => health.isReady() && session.isConnected
  const admin = await startAdmin({ listen: config.adminListen, ready, log })
  onStop(() => admin.stop())
  onStop(drain)
  await session.open()

  function onLease({ task }: LeasedTask, lease: Lease): void {
    history.told({ kind: 'leased', ...told(lease) })
    if (task?.type === 'chaos.poison') process.kill(process.pid, 'SIGKILL')
    const timer = setTimeout(
      () => {
        running.delete(lease.task)
        // Written before it is sent: a worker that dies meanwhile leaves it open whether it was recorded.
        settle(lease, 'unknown')
        session.report({ lease, outcome: { $case: 'success', value: { result: undefined } } })
      },
      Number(task?.payload?.ms ?? 0),
    )
    running.set(lease.task, timer)
  }

  function onLost(lease: Lease): void {
    clearTimeout(running.get(lease.task))
    running.delete(lease.task)
  }

  function onSettled({ lease, outcome }: Outcome, verdict: Verdict): void {
    if (lease && outcome?.$case === 'success') settle(lease, verdict)
  }

  function settle(lease: Lease, verdict: Verdict): void {
    history.told({ kind: 'outcome', ...told(lease), outcome: 'succeeded', verdict })
  }

  /** Takes nothing more and finishes what it has; what takes longer is left to the session's grace. */
  async function drain(): Promise<void> {
    session.drain()
    await until(() => running.size === 0, drainMsMax, { everyMs: 20 })
    await session.settled(1_000)
    for (const timer of running.values()) clearTimeout(timer)
    await session.close(1_000)
  }
})

function told({ task, attempt, session }: Lease) {
  return { task, attempt, session: String(session) }
}
