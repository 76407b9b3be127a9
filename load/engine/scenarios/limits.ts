import { setImmediate as nextTurn } from 'node:timers/promises'
import { until } from '@flowforge/local/until'
import type { Bench } from '../bench.ts'
import { Ours } from '../ours.ts'

const keysCount = 1_000
const perKey = 3
const perQueue = 20
const waitingMax = 50_000

/** Counts in the handlers of two workers whether a limit is ever exceeded: one for each of 1,000 keys, one for a queue. */
export async function limits(bench: Bench): Promise<void> {
  const { limitedTasks } = bench.scale
  const ours = new Ours(bench)
  try {
    await ours.create({ queue: 'keyed' })
    await ours.setQueue('keyed', { concurrencyPerKey: perKey }, ['concurrency_per_key'])
    await run(bench, ours, 'keyed', limitedTasks, perKey)
    await ours.create({ queue: 'narrow' })
    await ours.setQueue('narrow', { concurrency: perQueue }, ['concurrency'])
    await run(bench, ours, 'narrow', Math.ceil(limitedTasks / 20), perQueue)
    // Had one been exceeded, the turn had failed.
    bench.report('leasesWithinLimits', limitedTasks + Math.ceil(limitedTasks / 20))
  } finally {
    await ours.close()
  }
}

/** Fails if more tasks of a key, or of the queue if they have none, run at a time than `limit`. */
async function run(bench: Bench, ours: Ours, queue: string, count: number, limit: number): Promise<void> {
  const running = new Map<string, number>()
  let ended = 0
  let exceeded = 0
  const handler = async ({ concurrencyKey }: { concurrencyKey: string }) => {
    const before = running.get(concurrencyKey) ?? 0
    if (before >= limit) exceeded += 1
    running.set(concurrencyKey, before + 1)
    await nextTurn()
    running.set(concurrencyKey, running.get(concurrencyKey)! - 1)
    ended += 1
  }
  for (let n = 0; n < 2; n++) await ours.work(queue, 500, handler)
  for (let made = 0; made < count;) {
    const part = Math.min(10_000, count - made)
    await ours.createMany(part, (n) => ({ queue, concurrencyKey: queue === 'keyed' ? `key-${n % keysCount}` : '' }))
    made += part
    const isCaughtUp = await until(() => made - ended < waitingMax, 120_000)
    if (!isCaughtUp) bench.fail(`${queue}: ${made - ended} tasks waited for 120 s`)
  }
  if (!(await until(() => ended >= count, 120_000))) bench.fail(`${queue}: only ${ended} of ${count} tasks have run`)
  if (exceeded > 0) bench.fail(`${queue}: the limit of ${limit} was exceeded ${exceeded} times in ${count} leases`)
}
