import { calls } from './client-calls.ts'
import { FlowForgeError } from './client-error.ts'
import { isFinished, type TaskResource } from './client-resources.ts'
import { backoff } from './client-retry.ts'
import type { CallOptions, Transport } from './client-transport.ts'

/** Failures in a row, with backoff between them, after which a watch gives up. */
const failuresMax = 8

/** Follows a task over as many streams as it takes, each continuing from the etag that was seen last. */
export async function* watchTask(
  client: { getTask(name: string, options: CallOptions): Promise<TaskResource> },
  transport: Transport,
  name: string,
  { etag, ...options }: CallOptions & { etag?: string },
): AsyncGenerator<TaskResource, void> {
  for (let failures = 0; ; await backoff(failures + 1, options.signal)) {
    try {
      for await (const { task } of transport.stream(calls.watchTask, { name, etag: etag ?? '' }, options)) {
        const current = task as unknown as TaskResource
        failures = 0
        etag = current.etag
        yield current
        if (isFinished(current)) return
      }
    } catch (error) {
      if (!isPassing(error) || ++failures === failuresMax) throw error
      continue
    }
    // The server ends streams for its own reasons too: idle, draining, or because there is nothing left to tell.
    const current = await client.getTask(name, options)
    const isNews = current.etag !== etag
    etag = current.etag
    if (isNews) yield current
    if (isFinished(current)) return
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof FlowForgeError && (error.status === 'UNAVAILABLE' || error.status === 'DEADLINE_EXCEEDED')
}
