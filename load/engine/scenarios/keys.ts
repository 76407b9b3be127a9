import { connection } from '@flowforge/sdk/connection'
import { Queue, QueueServiceClient } from '@flowforge/proto/flowforge/tasks/v1/queue_service.ts'
import { identityOf } from '@flowforge/runtime/identity'
import type { Bench } from '../bench.ts'

const keysCount = 1_000
const perKey = 10

/** What 1,000 fairness keys, or 1,000 keys with a limit each, cost: the same bulk enqueue and drain with and without them. */
export async function keys(bench: Bench): Promise<void> {
  bench.report('keysNone', await throughput(bench, 'keysNone'))
  await limitConcurrency(bench, perKey)
  bench.report('keysConcurrency', await throughput(bench, 'keysConcurrency', 'concurrency'))
  await limitConcurrency(bench, 0)
  // Last, because a queue that has seen a fairness key stays fair.
  bench.report('keysFairness', await throughput(bench, 'keysFairness', 'fairness'))
}

async function throughput(bench: Bench, name: string, as?: 'fairness' | 'concurrency'): Promise<number> {
  const count = bench.scale.keyedTasks
  const { result } = await bench.costOf(name, async () => {
    const created = await bench.produceBulk(count, as && { as, count: keysCount })
    await bench.expectBacklogStored()
    await bench.worker.tell({ do: 'consume' })
    const ran = await bench.runBacklog(60_000)
    if (!ran.isComplete) bench.fail(`${name}: only ${ran.runs.started} of ${count} tasks had started after 60 s`)
    return created.endedAt - created.startedAt + ran.endedAt - ran.runs.firstAt
  })
  await bench.stopConsuming()
  return (count * 1000) / result
}

async function limitConcurrency({ service }: Bench, concurrencyPerKey: number): Promise<void> {
  const tls = { folder: `${service!.certificates}/operator`, serverName: identityOf('tasks') }
  const { address, credentials, options } = connection({ address: service!.address, tls })
  const client = new QueueServiceClient(address, credentials, options)
  const queue = Queue.fromPartial({ name: 'projects/default/queues/default', concurrencyPerKey })
  try {
    await new Promise<void>((resolve, reject) => {
      client.updateQueue({ queue, updateMask: ['concurrency_per_key'] }, (error) => (error ? reject(error) : resolve()))
    })
  } finally {
    client.close()
  }
}
