import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'

/**
 * Finds a TCP port of 127.0.0.1 that nobody listens on, and that nobody else is given by this function until the process ends.
 *
 * It lies below the range from which the kernel takes ports for outgoing connections, so that a process which restarts
 * some time later finds its port still free.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(20_000, 30_000)
    if ((await promise(port)) && (await isFree(port))) return port
  }
  throw new Error('no free port between 20000 and 30000 was found on 127.0.0.1')
}

/** Takes the UDP port of the same number: a mark that all processes see at once, and that goes with this one. */
function promise(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const mark = createSocket('udp4').unref()
    mark.once('error', () => mark.close(() => resolve(false)))
    mark.bind({ port, address: '127.0.0.1', exclusive: true }, () => resolve(true))
  })
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
