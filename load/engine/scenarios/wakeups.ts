import { setTimeout as delay } from 'node:timers/promises'
import { until } from '@flowforge/local/until'
import pg from 'pg'
import { quantile } from '../../report/statistics.ts'
import type { Bench } from '../bench.ts'
import { startCutter } from '../cutter.ts'
import { Ours } from '../ours.ts'
import { now } from '../program/protocol.ts'

/** How many NOTIFYs a busy queue costs, and how long tasks wait at an instance that hears none. */
export async function wakeups(bench: Bench): Promise<void> {
  bench.report('notifies', await notifiesPerSecond(bench))
  bench.report('severedP99', await waitWithoutListen(bench))
}

async function notifiesPerSecond(bench: Bench): Promise<number> {
  const listener = new pg.Client({ connectionString: bench.store.url })
  await listener.connect()
  try {
    let count = 0
    listener.on('notification', () => (count += 1))
    await listener.query('listen flowforge_tasks')
    await bench.worker.tell({ do: 'consume' })
    const { startedAt } = await bench.produce({ callers: 100, forMs: bench.scale.steadyMs })
    const { endedAt } = await bench.runBacklog(60_000)
    await bench.stopConsuming()
    return (count * 1000) / (endedAt - startedAt)
  } finally {
    await listener.end()
  }
}

/** A worker at a second instance whose listening connection is dead without anybody having been told so. */
async function waitWithoutListen(bench: Bench): Promise<number> {
  const { hostname, port } = new URL(bench.store.url)
  const cutter = await startCutter(hostname, Number(port))
  const ours = new Ours(bench)
  let far: Ours | undefined
  try {
    // The second instance reaches the database itself as it would reach a pooler; only the listener goes by the cutter.
    far = new Ours(bench, await bench.startInstance({ listenPort: cutter.port }))
    const startedAt = new Map<string, number>()
    await far.work('severed', 100, (task) => void startedAt.set(task.name, now()))
    cutter.cut()
    const sentAt = new Map<string, number>()
    for (let n = 0; n < bench.scale.severedTasks; n++) {
      const at = now()
      sentAt.set((await ours.create({ queue: 'severed' })).name, at)
      await delay(100)
    }
    if (!(await until(() => startedAt.size === sentAt.size, 30_000))) bench.fail('a task did not start within 30 s')
    const waits = [...sentAt].map(([name, at]) => startedAt.get(name)! - at)
    return quantile(
      waits.toSorted((a, b) => a - b),
      0.99,
    )
  } finally {
    await far?.close()
    await ours.close()
    cutter.close()
  }
}
