import { setTimeout as delay } from 'node:timers/promises'
import { until } from '@flowforge/local/until'
import type { Bench } from '../bench.ts'
import { Ours } from '../ours.ts'
import { now } from '../program/protocol.ts'

const weights = { small: 1, middle: 2, large: 4 }
const probes = 20
const handlerMs = 5

/** What fairness keys promise: shares by weight, and that a tenant's backlog does not delay another's single task. */
export async function tenants(bench: Bench): Promise<void> {
  const ours = new Ours(bench)
  try {
    bench.report('sharesOffPercent', await sharesOff(bench, ours))
    bench.report('tenantWaitMs', await longestWait(bench, ours))
  } finally {
    await ours.close()
  }
}

/** By how much the share of a key in what has started differs from its weight, while all keys have tasks waiting. */
async function sharesOff(bench: Bench, ours: Ours): Promise<number> {
  const queue = 'shares'
  const each = bench.scale.sharedTasks
  const started = new Map<string, number>()
  // The heaviest key has run out of tasks when 7/4 of a key's tasks have started.
  const countedMax = Math.floor(each * 1.5)
  let counted = 0
  await ours.create({ queue, fairnessKey: 'small' })
  await ours.setQueue(queue, { fairnessWeights: weights }, ['fairness_weights'])
  for (const fairnessKey of Object.keys(weights)) await ours.createMany(each, () => ({ queue, fairnessKey }))
  await ours.work(queue, 50, (task) => {
    if (++counted <= countedMax) started.set(task.fairnessKey, (started.get(task.fairnessKey) ?? 0) + 1)
  })
  if (!(await until(() => counted >= countedMax, 60_000))) bench.fail(`only ${counted} tasks had started after 60 s`)
  const total = Object.values(weights).reduce((sum, weight) => sum + weight)
  return Math.max(
    ...Object.entries(weights).map(
      ([key, weight]) => Math.abs((started.get(key) ?? 0) / ((countedMax * weight) / total) - 1) * 100,
    ),
  )
}

/** How long the single task of one tenant waits behind all those of another, at the longest; by its start. */
async function longestWait(bench: Bench, ours: Ours): Promise<number> {
  const queue = 'tenants'
  const startedAt = new Map<string, number>()
  let busy = 0
  await ours.createMany(bench.scale.waitingTasks, () => ({ queue, fairnessKey: 'busy' }))
  await ours.work(queue, 20, async (task) => {
    if (task.fairnessKey === 'busy') busy += 1
    else startedAt.set(task.name, now())
    await delay(handlerMs)
  })
  if (!(await until(() => busy > 200, 30_000))) bench.fail(`only ${busy} tasks had started after 30 s`)
  let longest = 0
  for (let n = 0; n < probes; n++) {
    const sentAt = now()
    const { name } = await ours.create({ queue, fairnessKey: `calm-${n}` })
    if (!(await until(() => startedAt.has(name), 30_000, { everyMs: 2 })))
      bench.fail('a task did not start within 30 s')
    longest = Math.max(longest, startedAt.get(name)! - sentAt)
  }
  return longest
}
