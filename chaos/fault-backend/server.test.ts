import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js'
import { startFaultBackend } from './server.ts'

/** Calls any method; the status with which it ended, and how long it took. */
function call(port: number, path: string): Promise<{ code: number; body: Buffer | undefined; ms: number }> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
  const asIs = (bytes: Buffer): Buffer<ArrayBuffer> => Buffer.from(bytes)
  const startedAt = performance.now()
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, asIs, asIs, Buffer.alloc(3), (error: ServiceError | null, body?: Buffer) => {
      resolve({ code: error?.code ?? status.OK, body, ms: performance.now() - startedAt })
      client.close()
    })
  })
}

test('any RPC is answered with the chosen status, after the chosen delay', async (t) => {
  const backend = await startFaultBackend({ host: '127.0.0.1', port: 0, code: status.UNAVAILABLE, delayMs: 80 })
  t.after(() => backend.close())
  for (const path of ['/flowforge.tasks.v1.TaskService/CreateTask', '/any.Thing/AtAll']) {
    const { code, ms } = await call(backend.port, path)
    equal(code, status.UNAVAILABLE)
    ok(ms >= 79, `${ms} ms`)
  }
  equal(backend.calls(), 2)
})

test('it says that it is healthy, or nobody would send it calls', async (t) => {
  const backend = await startFaultBackend({ host: '127.0.0.1', port: 0, code: status.INTERNAL, delayMs: 0 })
  t.after(() => backend.close())
  const { code, body } = await call(backend.port, '/grpc.health.v1.Health/Check')
  deepEqual([code, [...body!]], [status.OK, [8, 1]])
  equal(backend.calls(), 0)
})
