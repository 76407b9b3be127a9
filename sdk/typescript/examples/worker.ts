/**
 * A worker with one handler of its own, beside those that `npm start` runs.
 *
 *   node sdk/typescript/examples/worker.ts [address of the tasks service] [folder of certificates]
 *   curl -H "Authorization: Bearer $(cat .flowforge/api-key)" http://127.0.0.1:8080/v1/projects/default/tasks \
 *     -d '{"type": "example.count", "payload": {"to": 5}}'
 */
import { PermanentError, Worker, type Handler } from '@flowforge/sdk'
import { setTimeout as sleep } from 'node:timers/promises'

/** Counts to `payload.to`, a number each 100 ms, and goes on where a lost attempt stopped. */
const count: Handler = async (task, { signal, progress, log }) => {
  const to: unknown = task.payload?.['to']
  if (typeof to !== 'number') throw new PermanentError('payload.to must be a number')
  const from = Number(task.progress?.['counted'] ?? 0)
  log.info({ from, to }, 'counting')
  for (let counted = from + 1; counted <= to; counted += 1) {
    await sleep(100, undefined, { signal })
    progress({ counted })
  }
  return { counted: to }
}

const [address = '127.0.0.1:7101', folder = '.flowforge/certificates/worker'] = process.argv.slice(2)

const worker = new Worker({
  address,
  tls: { folder, serverName: 'tasks.flowforge.serviceaccount.identity.linkerd.cluster.local' },
  parent: 'projects/default',
  handlers: { 'example.count': count },
  capacity: 5,
})
process.once('SIGINT', () => void worker.drain(5_000))
process.once('SIGTERM', () => void worker.drain(5_000))
await worker.start()
