/** A TCP relay to a test's database that loses answers: the statement is committed, and its connection dies before it says so. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** An answer that is to be lost. */
interface Loss {
  /** Part of the statement's name. */
  statement: string
  /** As PostgreSQL ends its answer, `SELECT 1`: others pass. */
  tag: string
  lost: () => void
}

export interface Relay {
  /** The database's URL, through the relay. */
  url: string
  /** The next such answer takes its connection with it; resolves when that has happened. */
  loseAnswer(statement: string, tag: string): Promise<void>
  /** Ends the connections on which such a statement runs, and lets the database finish it. */
  cut(statement: string): void
  close(): void
}

/** Starts one in front of a database. */
export async function startRelay(databaseUrl: string): Promise<Relay> {
  const { hostname, port } = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  /** What was sent on each connection and is not answered. */
  const running = new Map<Socket, Buffer>()
  const losses: Loss[] = []
  const server = createServer((caller) => {
    const called = connect(Number(port), hostname)
    for (const [one, other] of [
      [caller, called],
      [called, caller],
    ] as const) {
      sockets.add(one)
      // Told to the other side by the close that follows.
      one.on('error', () => undefined)
      one.on('close', () => (sockets.delete(one), running.delete(one), other.destroy()))
    }
    caller.on('data', (request) => {
      running.set(caller, Buffer.concat([running.get(caller) ?? Buffer.alloc(0), request]))
      called.write(request)
    })
    called.on('data', (answer) => {
      const loss = losses.findIndex(
        ({ statement, tag }) => running.get(caller)?.includes(statement) && answer.includes(`${tag}\0`),
      )
      if (loss === -1) {
        // An answer ends with ReadyForQuery.
        if (answer.at(-6) === 0x5a) running.delete(caller)
        caller.write(answer)
        return
      }
      caller.destroy()
      losses.splice(loss, 1)[0]!.lost()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(databaseUrl)
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: url.href,
    loseAnswer: (statement, tag) => new Promise((lost) => losses.push({ statement, tag, lost })),
    cut(statement) {
      for (const [caller, request] of running) if (request.includes(statement)) caller.destroy()
    },
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
