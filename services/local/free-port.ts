import { createServer } from 'node:net'
import { randomInt } from 'node:crypto'

/** Ports promised to a process that may not listen on them yet. */
const promised = new Set<number>()

/**
 * Finds a port of 127.0.0.1 that nobody listens on.
 *
 * It lies below the range from which the kernel takes ports for outgoing connections, so that a process which restarts
 * some time later finds its port still free.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(20_000, 30_000)
    if (promised.has(port)) continue
    promised.add(port)
    if (await isFree(port)) return port
  }
  throw new Error('no free port between 20000 and 30000 was found on 127.0.0.1')
}

/** Gives the preferred port when it is free, so that a typed command works again tomorrow, else any free one. */
export async function preferredPort(preferred: number): Promise<number> {
  return (await isFree(preferred)) ? preferred : freePort()
}

/** Whether a server could listen on this port of 127.0.0.1 now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}
