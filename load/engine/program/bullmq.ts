/** BullMQ on a Redis of its own; how durable that is, the harness sets when it starts Redis. */
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import type { Adapter } from './adapter.ts'
import type { Payload } from './protocol.ts'

const name = 'load'

export const adapter: Adapter = {
  async producer({ url }) {
    const connection = new Redis(url, { maxRetriesPerRequest: null })
    const queue = new Queue<Payload>(name, { connection })
    return {
      create: async (payload) => void (await queue.add(name, payload)),
      createMany: async (payloads) => void (await queue.addBulk(payloads.map((data) => ({ name, data })))),
      close: async () => {
        await queue.close()
        connection.disconnect()
      },
    }
  },
  async consumer({ url, concurrency }, handler) {
    const connection = new Redis(url, { maxRetriesPerRequest: null })
    const worker = new Worker<Payload>(name, async ({ data }) => handler(data), { connection, concurrency })
    worker.on('error', (error) => process.stderr.write(`${error.stack}\n`))
    await worker.waitUntilReady()
    return {
      stop: async () => {
        await worker.close()
        connection.disconnect()
      },
    }
  },
}
