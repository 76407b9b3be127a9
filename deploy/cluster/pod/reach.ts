/**
 * Runs in a pod that looks like one of ours or like none: tries to connect to every `host:port` it is given and prints which
 * of them answered, as JSON. It uses nothing but Node.js.
 */
import { connect } from 'node:net'

/** A policy takes a moment to know a new pod; until then it is open, whoever it plays. The last round counts. */
const rounds = 6

async function isOpen(target: string): Promise<boolean> {
  const [host, port] = target.split(':')
  const socket = connect({ host: host!, port: Number(port), timeout: 2_000 })
  const answered = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true))
    socket.once('timeout', () => resolve(false))
    socket.once('error', () => resolve(false))
  })
  socket.destroy()
  return answered
}

let reached: (readonly [string, boolean])[] = []
for (let round = 0; round < rounds; round += 1) {
  reached = await Promise.all(process.argv.slice(2).map(async (target) => [target, await isOpen(target)] as const))
  await new Promise((resolve) => setTimeout(resolve, 500))
}
process.stdout.write(`${JSON.stringify(Object.fromEntries(reached))}\n`)
