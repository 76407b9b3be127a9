import type { Bench } from '../bench.ts'
import { Ours } from '../ours.ts'

const keysCount = 1_000
const perKey = 10

/** What the keys are, and by what measure each kind is reported. */
const kinds = [
  { measure: 'keysNone' },
  { measure: 'keysFairness', as: 'fairness' },
  { measure: 'keysConcurrency', as: 'concurrency' },
] as const

type Kind = (typeof kinds)[number]

/**
 * What 1,000 fairness keys, or 1,000 keys with a limit each, cost: the same bulk enqueue and drain with and without them,
 * by turns. One pass of each only warms up.
 */
export async function keys(bench: Bench): Promise<void> {
  await limitConcurrency(bench)
  for (const kind of kinds) await pass(bench, kind)
  const tookMs = new Map(kinds.map((kind) => [kind.measure, 0]))
  for (let n = 0; n < bench.scale.keyedPasses; n++)
    // Another one first each time, for whatever else the machine does comes and goes.
    for (const kind of [...kinds.slice(n % kinds.length), ...kinds.slice(0, n % kinds.length)])
      tookMs.set(kind.measure, tookMs.get(kind.measure)! + (await pass(bench, kind)))
  const count = bench.scale.keyedPasses * bench.scale.keyedTasks
  for (const [measure, ms] of tookMs) bench.report(measure, (count * 1000) / ms)
  const share = (measure: Kind['measure']) => (tookMs.get('keysNone')! / tookMs.get(measure)!) * 100
  bench.report('keysFairnessShare', share('keysFairness'))
  bench.report('keysConcurrencyShare', share('keysConcurrency'))
}

/** Creates tasks, then runs them; in how many milliseconds. */
async function pass(bench: Bench, kind: Kind): Promise<number> {
  const count = bench.scale.keyedTasks
  const created = await bench.produceBulk(count, 'as' in kind ? { as: kind.as, count: keysCount } : undefined)
  await bench.expectBacklogStored()
  await bench.store.analyze()
  await bench.worker.tell({ do: 'consume' })
  const ran = await bench.runBacklog(60_000)
  if (!ran.isComplete) bench.fail(`${kind.measure}: only ${ran.runs.started} of ${count} tasks had started after 60 s`)
  await bench.stopConsuming()
  return created.endedAt - created.startedAt + ran.endedAt - ran.runs.firstAt
}

async function limitConcurrency(bench: Bench): Promise<void> {
  const ours = new Ours(bench)
  try {
    await ours.setQueue('concurrency', { concurrencyPerKey: perKey }, ['concurrency_per_key'])
  } finally {
    await ours.close()
  }
}
