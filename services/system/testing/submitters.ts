import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '@flowforge/sdk/client'
import { FlowForgeError } from '@flowforge/sdk/client-error'
import type { NewTask } from '@flowforge/sdk/client-resources'

const submittersCount = 16
const givenUpAfterMs = 60_000

export interface Submissions {
  /** The task that answered each submission, by its index; what is in here was acknowledged. */
  acknowledged: Map<number, { name: string; askedAtMs: number }>
  /** How often the client gave up with which status before a submission went through. */
  refusals: Map<string, number>
  /** Settles once each submission was acknowledged. */
  all: Promise<void>
}

/**
 * Hands in `total` tasks, several at a time, each with a request ID of its own until it is acknowledged.
 *
 * `client` is asked for before each try, because a system that was started again has another address.
 */
export function submit(client: () => Client, total: number, taskOf: (index: number) => NewTask): Submissions {
  const acknowledged: Submissions['acknowledged'] = new Map()
  const refusals: Submissions['refusals'] = new Map()
  let next = 0
  const submitter = async () => {
    for (let index = next++; index < total; index = next++) {
      const giveUpAt = performance.now() + givenUpAfterMs
      while (!acknowledged.has(index)) {
        const askedAtMs = performance.now()
        try {
          const { name } = await client().createTask(taskOf(index), { timeoutMs: 10_000 })
          acknowledged.set(index, { name, askedAtMs })
        } catch (error) {
          if (!(error instanceof FlowForgeError) || performance.now() > giveUpAt) throw error
          refusals.set(error.status, (refusals.get(error.status) ?? 0) + 1)
          await delay(50)
        }
      }
    }
  }
  const all = Promise.all(Array.from({ length: submittersCount }, submitter)).then(() => {})
  all.catch(() => {
    // Told to whoever awaits `all`, which may be later.
  })
  return { acknowledged, refusals, all }
}
