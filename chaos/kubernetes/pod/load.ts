/**
 * The load, in a pod beside the installation. Over HTTP on 127.0.0.1:9400 it is started, asked what became of its tries,
 * and stopped: `/start`, `/tries?from=N`, `/stop?within=MS`, `/history`.
 */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Producer } from '../../traffic/producer.ts'
import { readLoadConfig } from './config.ts'

const { url, apiKey, traffic, port } = readLoadConfig()
const historyFile = '/tmp/producer.ndjson'
const startedAt = performance.now()
const elapsedMs = (): number => performance.now() - startedAt
const producer = new Producer({ url, apiKey, traffic: JSON.parse(traffic), historyFile, elapsedMs })

/** What `/tries` says; times are on the pod's own clock, whose present is `nowMs`. */
export interface LoadState {
  nowMs: number
  tries: Producer['tries']
  acknowledged: number
  resent: number
}

const answers: Record<string, (query: URLSearchParams) => unknown> = {
  '/start': () => producer.start(),
  '/tries': (query): LoadState => ({
    nowMs: elapsedMs(),
    tries: producer.tries.slice(Number(query.get('from'))),
    acknowledged: producer.acknowledged,
    resent: producer.resent,
  }),
  '/stop': (query) => producer.stop(Number(query.get('within'))),
  '/history': () => readFileSync(historyFile, 'utf8'),
}

createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url!, 'http://load')
  void Promise.resolve(answers[pathname]?.(searchParams)).then((answer) => response.end(JSON.stringify(answer ?? null)))
}).listen(port, '127.0.0.1')
