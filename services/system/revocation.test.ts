/** Two gateways before one accounts service: what one is told to revoke, the other refuses too. */
import { equal, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { createInterface } from 'node:readline'
import { root } from '@flowforge/local/config'
import { until } from '@flowforge/runtime/testing/poll'
import { startTestSystem, type TestSystem } from './testing/test-system.ts'

// Far longer than the test may take: a key that is only forgotten by age would be found.
const keyCache = { FLOWFORGE_KEY_CACHE: '1m' }

test('a revoked key, and a role that its user lost, are refused by every gateway at once', async (t) => {
  const system = await startTestSystem({ env: keyCache })
  const gateways = [system.url, await startGateway(t, system)]
  const use = (url: string, secret: string, method = 'GET'): Promise<number> =>
    fetch(`${url}/v1/projects/default/tasks`, {
      method,
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      ...(method === 'POST' && { body: JSON.stringify({ type: 'nobody' }) }),
    }).then(async (response) => (await response.text(), response.status))
  const create = async (path: string, body: unknown) =>
    (await system.call('POST', `/v1/projects/default/${path}`, body)).json<{ name: string; secret: string }>()

  const key = await create('apiKeys', { roles: ['ROLE_VIEWER'] })
  for (const url of gateways) equal(await use(url, key.secret), 200)
  await system.call('POST', `/v1/${key.name}:revoke`, {})
  const startedMs = performance.now()
  for (const url of gateways) await until(async () => (await use(url, key.secret)) === 401, { deadlineMs: 5_000 })
  const tookMs = performance.now() - startedMs
  t.diagnostic(`refused by both gateways ${Math.round(tookMs)} ms after the answer to the revocation`)

  const user = await create('users', { email: 'ada@example.com', roles: ['ROLE_SUBMITTER'] })
  const own = await create('apiKeys', { roles: ['ROLE_SUBMITTER'], user: user.name })
  for (const url of gateways) equal(await use(url, own.secret, 'POST'), 200)
  await system.call('PATCH', `/v1/${user.name}?updateMask=roles`, { roles: ['ROLE_VIEWER'] })
  for (const url of gateways)
    await until(async () => (await use(url, own.secret, 'POST')) === 403, { deadlineMs: 5_000 })
  ok(tookMs < 5_000)
})

/** One more gateway as a process of its own; answers with its URL. */
async function startGateway(t: { after(fn: () => void): void }, { addresses, folder }: TestSystem): Promise<string> {
  const child = spawn(process.execPath, [join(root, 'gateway/main.ts')], {
    env: {
      ...keyCache,
      FLOWFORGE_LISTEN: '127.0.0.1:0',
      FLOWFORGE_ADMIN_LISTEN: '127.0.0.1:0',
      FLOWFORGE_CERTIFICATES: join(folder.certificates, 'gateway'),
      FLOWFORGE_TASKS_ADDRESS: addresses.tasks,
      FLOWFORGE_ACCOUNTS_ADDRESS: addresses.accounts,
      FLOWFORGE_NOTIFICATIONS_ADDRESS: addresses.notifications,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  for await (const line of createInterface({ input: child.stdout })) {
    const { msg, port } = JSON.parse(line) as { msg: string; port?: number }
    if (msg === 'serving') return `http://127.0.0.1:${port}`
  }
  throw new Error('the gateway ended before it served')
}
