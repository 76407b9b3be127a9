/** A TCP relay that can fall silent: connections stay open, and nothing comes through any more. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface Cutter {
  port: number
  /** From now on nothing passes, and nobody is told. */
  cut(): void
  close(): void
}

export async function startCutter(host: string, port: number): Promise<Cutter> {
  const sockets = new Set<Socket>()
  let isCut = false
  const server = createServer((near) => {
    const far = connect(port, host)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('data', (data) => isCut || to.write(data))
      from.on('error', () => {})
      from.on('close', () => (isCut ? undefined : to.destroy()))
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => (isCut = true),
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
