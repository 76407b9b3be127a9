import type { Client } from '@flowforge/sdk/client'
import type { Sample } from './samples.ts'

const submittersCount = 16

/** A task that was handed in, and how long that took. */
export interface Submission {
  index: number
  sample: Sample
  name: string
  /** When its creation was asked for, in milliseconds since 1970. */
  timeMs: number
  createMs: number
}

/** Only tasks of the demo, unfinished ones. */
export function unfinished(queue: string): string {
  return `queue = "${queue}" AND (state = SCHEDULED OR state = READY OR state = RUNNING)`
}

/** Hands in every sample `repeat` times, one task per call, 16 calls at a time, and notes each in `submissions`. */
export async function submit(
  client: Client,
  samples: Sample[],
  submissions: Submission[],
  {
    repeat,
    queue,
    receiverUrl,
    secret,
    signal,
  }: { repeat: number; queue: string; receiverUrl: string; secret: string; signal: AbortSignal },
): Promise<void> {
  let next = 0
  const submitter = async () => {
    for (let index = next++; index < samples.length * repeat; index = next++) {
      const sample = samples[index % samples.length]!
      const payload = { url: `${receiverUrl}/webhooks/${index}`, body_text: sample.body, secret }
      const task = {
        type: 'webhook.deliver',
        queue,
        payload,
        retryPolicy: { minBackoff: '0.2s' },
        labels: { event: sample.event },
      }
      const startMs = performance.now()
      const { name } = await client.createTask(task, { signal })
      const createMs = performance.now() - startMs
      submissions.push({ index, sample, name, timeMs: performance.timeOrigin + startMs, createMs })
    }
  }
  await Promise.all(Array.from({ length: submittersCount }, submitter))
}
