import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { freePort } from '@flowforge/local/free-port'
import { startWorkServer } from '@flowforge/sdk/testing/work-server'

function start(t: TestContext, env: Record<string, string>) {
  const { PATH } = process.env
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], { env: { PATH, ...env } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk))
  t.after(() => child.kill('SIGKILL'))
  const exited = once(child, 'close').then(([code]) => code as number | null)
  return { child, exited, output: () => output }
}

/** What the mesh's proxy of a pod says about itself. */
async function startProxyAdmin(t: TestContext): Promise<string> {
  const admin = createServer((_, response) => response.end('ready\n')).listen(0, '127.0.0.1')
  await once(admin, 'listening')
  t.after(() => admin.close())
  return `127.0.0.1:${(admin.address() as AddressInfo).port}`
}

test('a worker is ready once it is welcomed, runs tasks, and drains on SIGTERM', { timeout: 30_000 }, async (t) => {
  const server = await startWorkServer()
  t.after(() => server.stop())
  const port = await freePort()
  const worker = start(t, {
    // As in a mesh: the work server speaks plaintext.
    FLOWFORGE_TRANSPORT: 'mesh',
    FLOWFORGE_PROXY_ADMIN: await startProxyAdmin(t),
    FLOWFORGE_TASKS_ADDRESS: server.address,
    FLOWFORGE_ADMIN_LISTEN: `127.0.0.1:${port}`,
  })
  const admin = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    return { status: response.status, text: await response.text() }
  }

  const stream = await server.next()
  equal((await admin('/readyz')).status, 503)
  const hello = await stream.welcome()
  deepEqual(hello.types, ['echo', 'email.send', 'http.request', 'webhook.deliver'])
  stream.lease('quick', { type: 'echo', payload: { secret: 'never logged' } })
  const quick = await stream.next('outcome')
  stream.acknowledge(quick)
  deepEqual(quick.outcome?.value, { result: { secret: 'never logged' } })
  equal((await admin('/readyz')).status, 200)
  match((await admin('/metrics')).text, /task_processing_duration_seconds_count\{type="echo",outcome="succeeded"\} 1/)

  stream.lease('slow', { type: 'echo', payload: { sleep_ms: 500 } })
  await stream.next('heartbeat')
  worker.child.kill('SIGTERM')
  await stream.next('drain')
  const slow = await stream.next('outcome')
  equal(slow.outcome?.$case, 'success')
  stream.acknowledge(slow)
  equal(await worker.exited, 0)
  match(worker.output(), /"task":"projects\/default\/tasks\/quick"/)
  ok(!worker.output().includes('never logged'))
})

test('a wrong setting is one line that says what to set', { timeout: 30_000 }, async (t) => {
  const worker = start(t, { FLOWFORGE_ALLOW_HOSTS: 'http://receiver' })
  equal(await worker.exited, 2)
  match(worker.output(), /^flowforge worker: FLOWFORGE_ALLOW_HOSTS.*example.*\n$/)
})
