/**
 * The demo's outside world, a process of its own: takes webhooks, checks each signature as any receiver of
 * Standard Webhooks would, and is unreliable on purpose: some first deliveries fail, some answers take a second.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Webhook, WebhookVerificationError } from 'standardwebhooks'
import type { Counts, Delivery, FromReceiver, ToReceiver } from './messages.ts'

const failPercent = 10
const slowMs = 1_000

const deliveries: Delivery[] = []
const counts: Counts = { accepted: 0, refused: 0 }
const seen = new Set<number>()

process.on('message', (message: ToReceiver) => {
  if (message.kind === 'start') listen(message.host, message.secret, message.slowPercent)
  else tell({ kind: 'deliveries', deliveries })
})
process.on('disconnect', () => process.exit())
// An interrupt on the terminal reaches the whole group; the demo ends this process when it has its report.
process.on('SIGINT', () => {})

function listen(host: string, secret: string, slowPercent: number): void {
  const webhook = new Webhook(secret)
  const server = createServer((request, response) => {
    void receive(webhook, slowPercent, request).then(
      (status) => response.writeHead(status).end(),
      // The worker was killed while it sent.
      () => response.destroy(),
    )
  })
  server.keepAliveTimeout = 60_000
  server.listen(0, host, () => tell({ kind: 'listening', port: (server.address() as AddressInfo).port }))
  setInterval(() => tell({ kind: 'counts', counts }), 100)
}

async function receive(webhook: Webhook, slowPercent: number, request: IncomingMessage): Promise<number> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  const body = Buffer.concat(chunks)
  const index = Number(request.url?.split('/').at(-1))
  const isFirst = !seen.has(index)
  seen.add(index)
  const isVerified = isSigned(webhook, body, request.headers as Record<string, string>)
  const fate = fateOf(index)
  if (isFirst && fate >= failPercent && fate < failPercent + slowPercent) await delay(slowMs)
  const status = !isVerified ? 401 : isFirst && fate < failPercent ? 500 : 204
  deliveries.push({
    index,
    webhookId: String(request.headers['webhook-id']),
    sha256: createHash('sha256').update(body).digest('hex'),
    isVerified,
    status,
    timeMs: performance.timeOrigin + performance.now(),
  })
  if (status === 204) counts.accepted++
  else counts.refused++
  return status
}

function isSigned(webhook: Webhook, body: Buffer, headers: Record<string, string>): boolean {
  try {
    webhook.verify(body, headers, { jsonParse: false })
    return true
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false
    throw error
  }
}

/** 0 to 99, the same in every run: which submissions are made to fail or wait. */
function fateOf(index: number): number {
  return createHash('sha256').update(`fate of ${index}`).digest().readUInt32BE() % 100
}

function tell(message: FromReceiver): void {
  process.send?.(message)
}
