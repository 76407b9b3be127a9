/** The same as backend/main.go, for machines without Go: answers each RPC with the bytes of the first argument. */
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'

const encoded = JSON.parse(process.argv[2]!) as Record<string, string>
const answers = new Map(
  Object.entries(encoded).map(([path, base64]) => {
    const message = Buffer.from(base64, 'base64')
    const head = Buffer.alloc(5)
    head.writeUInt32BE(message.length, 1)
    return [path, Buffer.concat([head, message])]
  }),
)
const headers = { ':status': 200, 'content-type': 'application/grpc' }
const server = createServer()
server.on('stream', (stream, { ':path': path }) => {
  const answer = answers.get(path!)
  stream.on('error', () => undefined)
  stream.resume()
  if (answer === undefined) return stream.respond({ ...headers, 'grpc-status': '12' }, { endStream: true })
  stream.respond(headers, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.end(answer)
})
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`))
