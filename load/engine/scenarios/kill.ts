import type { Bench } from '../bench.ts'
import { now } from '../program/protocol.ts'

const count = 50

/** A worker dies without a word while it runs tasks; the time until the last of them runs again on another worker. */
export async function kill(bench: Bench): Promise<void> {
  const victim = bench.programme('victim')
  await victim.tell({ do: 'consume', hold: true })
  await bench.produceBulk(count)
  const { started } = await victim.tell({ do: 'await', ...bench.backlog, withinMs: 10_000 })
  if (started !== count) bench.fail(`the worker to kill had started only ${started} of ${count} tasks after 10 s`)
  await bench.worker.tell({ do: 'consume' })
  const killedAt = now()
  await victim.kill()
  const { runs, isComplete } = await bench.runBacklog(60_000)
  if (!isComplete) bench.fail(`60 s after the kill only ${runs.started} of ${count} tasks had started again`)
  bench.report('rerunAfterKillMs', runs.lastAt - killedAt)
  await bench.stopConsuming()
}
