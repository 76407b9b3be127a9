import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
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

/** Starts a Redis that keeps nothing. */
export async function startRedis(t: TestContext): Promise<TestRedis> {
  const port = await freePort()
  let stop = async (): Promise<void> => undefined
  const start = async (): Promise<void> => {
    const server = spawn(
      'redis-server',
      ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
      {
        stdio: 'ignore',
      },
    )
    stop = async () => {
      if (server.exitCode === null && server.signalCode === null && server.kill('SIGKILL')) await once(server, 'exit')
    }
    await until(() => answers(port))
  }
  await start()
  t.after(() => stop())
  return { url: `redis://127.0.0.1:${port}`, start, stop: () => stop() }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } finally {
    socket.destroy()
  }
}
