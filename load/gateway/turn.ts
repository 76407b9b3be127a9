/** One gateway's turn in one round. */
import { deepEqual } from 'node:assert/strict'
import { HttpClient } from './http-client.ts'
import { putLoad } from './load.ts'
import { connectionCounts, methods, type MeasureName } from './measures.ts'
import { startPinned, type Pinned, type Program } from './pinned.ts'
import { expected, requests } from './requests.ts'

const gatewayCore = 0
const readyMsMax = 20_000
// Compilers need some ten thousand requests to settle.
const warmUpMs = 2_500
const waitsConnections = 32
// One collection of the whole heap in a window of 1.5 s would be its 99th percentile, whether one comes each second or minute.
const waitsTimes = 4

export interface Turn {
  program: Program
  logFile: string
  /** Of each load; waits are counted four times as long. */
  ms: number
  report(measure: MeasureName, value: number): void
}

/** Starts the gateway, checks what it answers, and measures it. */
export async function takeTurn({ program, logFile, ms, report }: Turn): Promise<void> {
  const gateway = await startPinned(gatewayCore, program, logFile)
  try {
    await answersRightly(gateway)
    for (const method of methods) await putLoad(gateway, method, { connections: 32, ms: warmUpMs })
    for (const method of methods) {
      let highest = 0
      for (const connections of connectionCounts) {
        const { rate, cpuUs } = await putLoad(gateway, method, { connections, ms })
        highest = Math.max(highest, rate)
        report(`${method}${connections}Rate`, rate)
        if (cpuUs !== undefined) report(`${method}${connections}CpuUs`, cpuUs)
      }
      const ratePerSecond = highest / 2
      const { p50, p99 } = await putLoad(gateway, method, {
        connections: waitsConnections,
        ms: ms * waitsTimes,
        ratePerSecond,
      })
      report(`${method}P50Ms`, p50)
      report(`${method}P99Ms`, p99)
    }
  } finally {
    await gateway.stop()
  }
}

async function answersRightly({ port }: Pinned): Promise<void> {
  for (const { method, path, body } of Object.values(requests)) {
    const answer = await firstAnswer(port, { method, path, body })
    const { name, type, payload } = JSON.parse(answer) as Record<string, unknown>
    deepEqual({ name, type, payload }, expected, `${method} is answered with something else`)
  }
}

/** Asks until the gateway is up. */
async function firstAnswer(port: number, { method, path, body }: (typeof requests)['get']): Promise<string> {
  const deadline = performance.now() + readyMsMax
  for (;;) {
    try {
      const client = await HttpClient.open(port)
      const head = `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ff_load\r\n`
      const type = body === '' ? '' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`
      const reply = await client.ask(Buffer.from(`${head}${type}\r\n${body}`))
      client.close()
      if (reply.status === 200) return reply.body
      throw new Error(`answered ${reply.status}: ${reply.body.slice(0, 300)}`)
    } catch (error) {
      if (performance.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}
