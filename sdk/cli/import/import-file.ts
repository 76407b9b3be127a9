import type { BatchResult, Client } from '@flowforge/sdk/client'
import { FlowForgeError } from '@flowforge/sdk/client-error'
import type { NewTask } from '@flowforge/sdk/client-resources'
import { readLines, type Survey } from './read-lines.ts'

const batchTasksMax = 1_000
// Below the 4 MiB that a message may have, with room for what surrounds the tasks.
const batchBytesMax = 3 * 1024 * 1024
const batchesAtOnceMax = 4

/** Takes note of how an import goes on. */
export interface ImportObserver {
  imported(lines: number): void
  refused(line: number, error: FlowForgeError): void
}

interface Entry {
  number: number
  task: NewTask
}

/**
 * Creates a task from each line of a file, in batches, several at once.
 *
 * A bad line is told to the observer and does not keep others from being created. Throws only when FlowForge cannot
 * be reached or lets nothing in; what was created until then is found again by the next import of the same file.
 */
export async function importFile(
  client: Client,
  file: string,
  { hash }: Survey,
  observer: ImportObserver,
): Promise<void> {
  const underWay = new Set<Promise<void>>()
  let batch: Entry[] = []
  let batchBytes = 0
  const send = async () => {
    const sending = create(client, batch, observer).finally(() => underWay.delete(sending))
    underWay.add(sending)
    ;[batch, batchBytes] = [[], 0]
    if (underWay.size === batchesAtOnceMax) await Promise.race(underWay)
  }
  try {
    for await (const { number, bytes, task, fault } of readLines(file, hash)) {
      if (fault !== undefined) {
        observer.refused(number, new FlowForgeError('INVALID_ARGUMENT', fault))
        continue
      }
      if (batch.length === batchTasksMax || (batch.length > 0 && batchBytes + bytes > batchBytesMax)) await send()
      batch.push({ number, task })
      batchBytes += bytes
    }
    if (batch.length > 0) await send()
    await Promise.all(underWay)
  } finally {
    await Promise.allSettled(underWay)
  }
}

async function create(client: Client, entries: Entry[], observer: ImportObserver): Promise<void> {
  let results: BatchResult[]
  try {
    results = await client.batchCreateTasks(entries.map(({ task }) => task))
  } catch (error) {
    if (!isAboutContent(error)) throw error
    const [first] = entries
    if (first && entries.length === 1) return observer.refused(first.number, error)
    // One line that cannot even be read as a task spoils the request: halves find out which.
    const middle = entries.length >> 1
    await create(client, entries.slice(0, middle), observer)
    return create(client, entries.slice(middle), observer)
  }
  let imported = 0
  entries.forEach(({ number }, index) => {
    const { error } = results[index] ?? { error: new FlowForgeError('INTERNAL', 'the answer lacks this task') }
    if (error) observer.refused(number, error)
    else imported++
  })
  observer.imported(imported)
}

function isAboutContent(error: unknown): error is FlowForgeError {
  if (!(error instanceof FlowForgeError)) return false
  const isTooLarge = error.status === 'RESOURCE_EXHAUSTED' && error.retryAfterMs === undefined
  return error.status === 'INVALID_ARGUMENT' || isTooLarge
}
