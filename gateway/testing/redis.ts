import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { accepts } from '@flowforge/local/accepts'
import { freePort } from '@flowforge/local/free-port'
import { until } from '@flowforge/runtime/testing/poll'

/** A Redis of this test's own, which can go and come back. */
export interface TestRedis {
  readonly url: string
  stop(): Promise<void>
  start(): Promise<void>
}

/** Why tests that need Redis are skipped; false if it is there. */
export const withoutRedis =
  spawnSync('redis-server', ['--version']).status === 0 ? false : 'redis-server is not on the PATH'

/** Starts a Redis that keeps nothing; one that speaks TLS with the certificate in a folder, if there is one. */
export async function startRedis(t: TestContext, certificates?: string): Promise<TestRedis> {
  const port = await freePort()
  let stop = async (): Promise<void> => undefined
  const start = async (): Promise<void> => {
    const listen = certificates === undefined ? ['--port', String(port)] : tlsArguments(port, certificates)
    const options = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
    const server = spawn('redis-server', [...listen, ...options], { stdio: 'ignore' })
    stop = async () => {
      if (server.exitCode === null && server.signalCode === null && server.kill('SIGKILL')) await once(server, 'exit')
    }
    await until(() => accepts(port))
  }
  await start()
  t.after(() => stop())
  const scheme = certificates === undefined ? 'redis' : 'rediss'
  return { url: `${scheme}://localhost:${port}`, start, stop: () => stop() }
}

function tlsArguments(port: number, folder: string): string[] {
  const files = { cert: 'certificate.pem', key: 'key.pem', 'ca-cert': 'ca.pem' }
  const paths = Object.entries(files).flatMap(([name, file]) => [`--tls-${name}-file`, join(folder, file)])
  return ['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no', ...paths]
}
