/** pg-boss, woken by NOTIFY: each job with an outcome of its own, or in the large batches that it documents for throughput. */
import { PgBoss, type ConstructorOptions, type Job } from 'pg-boss'
import type { Adapter } from './adapter.ts'
import type { Payload } from './protocol.ts'

const queue = 'load'

export const adapter: Adapter = {
  async producer({ url }) {
    const boss = await start({ connectionString: url, supervise: false, schedule: false })
    await boss.createQueue(queue, { notify: true })
    return {
      create: async (payload) => void (await boss.send(queue, payload)),
      createMany: async (payloads) =>
        void (await boss.insert(
          queue,
          payloads.map((data) => ({ data })),
        )),
      close: () => boss.stop(),
    }
  },
  async consumer({ url, concurrency, tuned }, handler) {
    const boss = await start({ connectionString: url, useListenNotify: true })
    await boss.createQueue(queue, { notify: true })
    const polling = { burstWhenBatchFull: true, pollingIntervalSeconds: 0.5, notifyPollingIntervalSeconds: 0.5 }
    if (tuned) {
      await boss.work<Payload>(queue, { ...polling, batchSize: concurrency, localConcurrency: 2 }, async (jobs) => {
        await Promise.all(jobs.map(({ data }) => handler(data)))
      })
    } else {
      await boss.work<Payload>(
        queue,
        { ...polling, batchSize: concurrency, perJobResults: true },
        async (jobs: Job<Payload>[]) => {
          await Promise.all(jobs.map(({ data }) => handler(data)))
          return jobs.map(({ id }) => ({ id, status: 'completed' as const }))
        },
      )
    }
    return { stop: () => boss.stop({ graceful: true, timeout: 5_000 }) }
  },
}

async function start(options: ConstructorOptions): Promise<PgBoss> {
  const boss = new PgBoss(options)
  boss.on('error', (error) => process.stderr.write(`${error.stack}\n`))
  await boss.start()
  return boss
}
