/**
 * A contender's producer or worker process: `node main.ts <adapter> <settings as JSON>`; speaks protocol.ts.
 *
 * Its standard output and error belong to the contender's library and go to a log file.
 */
import { createInterface } from 'node:readline'
import { writeSync } from 'node:fs'
import type { Adapter, Consumer, Producer, Settings } from './adapter.ts'
import { Ledger } from './ledger.ts'
import { produce, produceBulk } from './produce.ts'
import type { Answer, Command } from './protocol.ts'

const adapters: Record<string, () => Promise<{ adapter: Adapter }>> = {
  flowforge: () => import('./flowforge.ts'),
  'graphile-worker': () => import('./graphile-worker.ts'),
  'pg-boss': () => import('./pg-boss.ts'),
  bullmq: () => import('./bullmq.ts'),
}

const [name = '', json = '{}'] = process.argv.slice(2)
const settings = JSON.parse(json) as Settings
const { adapter } = await adapters[name]!()
const ledger = new Ledger()
let producer: Producer | undefined
let consumer: Consumer | undefined

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command
  answer(
    await obey(command).then(
      (ok): Answer => ({ ok }),
      (error: Error): Answer => ({ error: error.stack ?? String(error) }),
    ),
  )
  if (command.do === 'end') process.exit(0)
}
// The harness is gone.
process.exit(1)

async function obey(command: Command): Promise<Extract<Answer, { ok: unknown }>['ok']> {
  switch (command.do) {
    case 'produce':
      producer ??= await adapter.producer(settings)
      return produce(producer, command)
    case 'produceBulk':
      producer ??= await adapter.producer(settings)
      return produceBulk(producer, command)
    case 'consume':
      consumer = await adapter.consumer(settings, async (payload) => {
        ledger.note(payload)
        if (command.hold) await new Promise<void>(() => {})
      })
      return {}
    case 'await':
      await ledger.complete(command.first, command.count, command.withinMs)
      return ledger.runs(command.first, command.count)
    case 'stopConsuming':
      await consumer?.stop()
      consumer = undefined
      return {}
    case 'writeHistory':
      adapter.writeHistory!(command.file)
      return {}
    case 'end':
      await consumer?.stop()
      await producer?.close()
      return {}
  }
}

function answer(value: Answer): void {
  writeSync(3, `${JSON.stringify(value)}\n`)
}
