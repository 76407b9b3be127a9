/** Creating tasks as fast as allowed, with one call each or many to a call. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Producer } from './adapter.ts'
import { now, text, type Command, type Payload, type Produced } from './protocol.ts'

type Of<Do extends Command['do']> = Extract<Command, { do: Do }>

export async function produce(producer: Producer, command: Of<'produce'>): Promise<Produced> {
  const { first, callers, forMs, countMax, ratePerSecond } = command
  const startedAt = now()
  let count = 0
  const caller = async () => {
    while (count < countMax && now() - startedAt < forMs) {
      const n = count++
      if (ratePerSecond) {
        const dueInMs = startedAt + (n * 1000) / ratePerSecond - now()
        if (dueInMs > 0) await delay(dueInMs)
      }
      await producer.create(payload(first + n))
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return { count, startedAt, endedAt: now() }
}

export async function produceBulk(producer: Producer, command: Of<'produceBulk'>): Promise<Produced> {
  const { first, count, batch, callers, keys } = command
  const startedAt = now()
  let next = 0
  const caller = async () => {
    while (next < count) {
      const from = next
      next = Math.min(next + batch, count)
      const payloads = Array.from({ length: next - from }, (_, i) => payload(first + from + i))
      await producer.createMany(payloads, keys)
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return { count, startedAt, endedAt: now() }
}

function payload(n: number): Payload {
  return { n, sentAt: now(), text }
}
