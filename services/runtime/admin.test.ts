import { deepEqual, equal, match } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startAdmin } from './admin.ts'
import { createHealth } from './health.ts'
import { quietLog } from './testing/log.ts'

async function setup(t: TestContext, ready: () => boolean | Promise<boolean>) {
  const admin = await startAdmin({ listen: '127.0.0.1:0', ready, log: quietLog })
  t.after(() => admin.stop())
  return async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${admin.port}${path}`)
    return { code: response.status, body: await response.text() }
  }
}

test('a process is ready from the end of its start until it is told to stop, and alive throughout', async (t) => {
  const health = createHealth()
  const get = await setup(t, health.isReady)
  const codes: number[] = []
  for (const step of [() => {}, health.markReady, health.drain, health.markReady]) {
    step()
    codes.push((await get('/readyz')).code)
    for (const path of ['/livez', '/healthz']) equal((await get(path)).code, 200)
  }
  deepEqual(codes, [503, 200, 503, 503])
})

test('a readiness check that fails means not ready', async (t) => {
  const get = await setup(t, () => Promise.reject(new Error('no database')))
  deepEqual(await get('/readyz'), { code: 503, body: 'not ready\n' })
})

test('metrics are in Prometheus’ format, and any other path is not found', async (t) => {
  const get = await setup(t, () => true)
  match((await get('/metrics')).body, /# TYPE grpc_server_handled_total counter/)
  equal((await get('/secrets')).code, 404)
})
