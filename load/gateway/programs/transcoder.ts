/** Our transcoder alone, without the edge around it: does what the peers do. Argument: the backend's address. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Client, credentials } from '@grpc/grpc-js'
import { createTranscoder, grpcUpstream, type Upstream } from '@flowforge/gateway/transcoder/transcoder'
import { descriptorSet } from '@flowforge/proto/descriptors'
import { UnaryChannel } from '@flowforge/grpc/unary/channel'
import { collectAlone } from '@flowforge/runtime/one-processor'

collectAlone()
const target = process.argv[2]!
const channel = new UnaryChannel({ target, tls: undefined, attemptsMax: 1, answerBytesMax: 1 << 24 })
const upstream: Upstream = {
  ...grpcUpstream(new Client(target, credentials.createInsecure())),
  unary: ({ route, request, metadata, deadline }, end) =>
    channel.call({ path: route.path, message: request, metadata, deadline }, end),
}
const transcoder = createTranscoder({ descriptors: descriptorSet(), upstream: () => upstream, timeoutMs: () => 5_000 })
const server = createServer((request, response) => void transcoder.handle(request, response))
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`))
