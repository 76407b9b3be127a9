/** `node slow-clients.ts URL COUNT`: connections that say a byte of a request now and then, until SIGTERM. */
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

const [url, count] = [new URL(process.argv[2]!), Number(process.argv[3])]
const open = new Set<Socket>()
let closed = 0
let most = 0

process.on('SIGTERM', () => {
  process.stdout.write(`${JSON.stringify({ most, closed })}\n`)
  process.exit(0)
})
setInterval(() => {
  for (const socket of open) socket.write('x')
}, 1_000)

for (let opened = 0; opened < count; opened++) {
  const socket = connect(Number(url.port), url.hostname, () => {
    open.add(socket)
    most = Math.max(most, open.size)
    socket.write(`POST /v1/projects/default/tasks HTTP/1.1\r\nHost: ${url.host}\r\nX-Slow: `)
  })
  // What the server says is of no interest, but its end is only heard by who reads.
  socket.resume()
  socket.on('error', () => {
    // Refused or reset: counted by its close.
  })
  socket.on('close', () => {
    open.delete(socket)
    closed += 1
  })
  if (opened % 200 === 199) await delay(20)
}
