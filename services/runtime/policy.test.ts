import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { Metadata, status, type ServiceError } from '@grpc/grpc-js'
import { components, loadPolicies } from './policy.ts'
import type { Service } from './server.ts'
import { startTestServer } from './testing/server.ts'

test('every RPC of the contracts has callers and a bound on its time', () => {
  const policies = loadPolicies()
  ok(policies.size >= 30)
  for (const [path, { callers, timeoutMs, idleTimeoutMs }] of policies) {
    ok(callers.size > 0, path)
    ok((timeoutMs ?? idleTimeoutMs ?? 0) > 0, path)
  }
})

test('what the contract says is what is read', () => {
  const verify = loadPolicies().get('/flowforge.accounts.v1.AuthService/VerifyApiKey')
  deepEqual([verify?.callers, verify?.roles], [new Set(['gateway']), new Set()])
  deepEqual([verify?.timeoutMs, verify?.idleTimeoutMs, verify?.idempotent], [5_000, undefined, true])
  const work = loadPolicies().get('/flowforge.tasks.v1.WorkerService/Work')
  deepEqual([work?.timeoutMs, work?.idleTimeoutMs, work?.idempotent], [undefined, 30_000, false])
})

test('each RPC lets in exactly the components that its policy names', async (t) => {
  // Handlers that answer nothing: whoever is let in gets OK, whoever is not never reaches them.
  const paths = [...loadPolicies().keys()]
  const same = (bytes: Buffer) => bytes
  const methods = {
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  }
  const services: Service[] = paths.map((path) => ({
    definition: { method: { path, ...methods } },
    handlers: { method: async () => Buffer.alloc(0) },
  }))
  const server = await startTestServer(t, 'tasks', services)
  for (const component of components) {
    const channel = server.dialAs(component)
    for (const path of paths) {
      const code = await new Promise<number>((resolve) => {
        const done = (error: ServiceError | null) => resolve(error?.code ?? status.OK)
        channel.client.makeUnaryRequest(
          path,
          same,
          same,
          Buffer.alloc(0),
          new Metadata(),
          { deadline: Date.now() + 5_000 },
          done,
        )
      })
      const isAllowed = loadPolicies().get(path)!.callers.has(component)
      equal(code, isAllowed ? status.OK : status.PERMISSION_DENIED, `${component} calls ${path}`)
    }
  }
})
