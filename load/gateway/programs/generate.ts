/** The load on one gateway, in a process of its own. The argument and what it prints are JSON. */
import { setFlagsFromString } from 'node:v8'
import { collectAlone } from '@flowforge/runtime/one-processor'
import { HttpClient } from '../http-client.ts'
import type { Load, LoadResult } from '../load.ts'

const load = JSON.parse(process.argv[2]!) as Load
collectAlone()
// The optimizing compiler takes 10 ms at a time from the core on which the services answer: with a rate that is the 99th
// percentile, whichever gateway it is.
if (load.ratePerSecond !== undefined) setFlagsFromString('--no-turbofan')
const bytes = Buffer.byteLength(load.body)
const request = Buffer.from(
  [
    `${load.method} ${load.path} HTTP/1.1`,
    `host: 127.0.0.1:${load.port}`,
    'accept: application/json',
    // What is measured is transcoding, so nothing may be answered from a cache.
    'cache-control: no-store',
    `authorization: Bearer ${load.key}`,
    ...(bytes > 0 ? ['content-type: application/json', `content-length: ${bytes}`] : []),
    '',
    load.body,
  ].join('\r\n'),
)
const clients = await Promise.all(Array.from({ length: load.connections }, () => HttpClient.open(load.port)))
const startedMs = performance.now()
const measuredFromMs = startedMs + load.warmUpMs
const endMs = measuredFromMs + load.ms
const waits: number[] = []
let count = 0

async function ask(client: HttpClient, sinceMs: number): Promise<void> {
  const { status, body } = await client.ask(request)
  if (status !== 200) throw new Error(`answered ${status}: ${body.slice(0, 300)}`)
  if (sinceMs < measuredFromMs) return
  count++
  if (load.ratePerSecond !== undefined) waits.push(performance.now() - sinceMs)
}

/** As fast as it answers. */
async function closedLoop(client: HttpClient): Promise<void> {
  for (let nowMs = startedMs; nowMs < endMs; nowMs = performance.now()) await ask(client, nowMs)
}

/** At fixed instants; a wait counts from the instant, so an answer that holds up the next one counts for both. */
async function openLoop(client: HttpClient, index: number): Promise<void> {
  const everyMs = (1_000 / load.ratePerSecond!) * load.connections
  for (let due = startedMs + (everyMs * index) / load.connections; due < endMs; due += everyMs) {
    const earlyMs = due - performance.now()
    if (earlyMs > 0) await new Promise((resolve) => setTimeout(resolve, earlyMs))
    await ask(client, Math.max(due, earlyMs > 0 ? performance.now() : due))
  }
}

await Promise.all(clients.map(load.ratePerSecond === undefined ? closedLoop : openLoop))
const result: LoadResult = {
  count,
  seconds: (performance.now() - measuredFromMs) / 1_000,
  waits: waits.toSorted((a, b) => a - b),
}
clients.forEach((client) => client.close())
process.stdout.write(JSON.stringify(result))
