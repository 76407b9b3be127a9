import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { NewTask } from '@flowforge/sdk/client-resources'
import { UsageError } from '../exit.ts'

/** A line of the file: the task that it tells, or why it tells none. */
export type Line = { number: number; bytes: number } & (
  | { task: NewTask; fault?: undefined }
  | { task?: undefined; fault: string }
)

/** What can be said of a file before its lines are read. */
export interface Survey {
  /** SHA-256 of the content, which together with the line number makes a task's request ID. */
  hash: string
  lines: number
}

/** Reads the whole file once, to know what it is and how long the way is. */
export async function survey(file: string): Promise<Survey> {
  const hash = createHash('sha256')
  let lines = 0
  let last = 0x0a
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      hash.update(chunk)
      for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, at + 1)) lines++
      last = chunk.at(-1) ?? last
    }
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`)
  }
  return { hash: hash.digest('hex'), lines: last === 0x0a ? lines : lines + 1 }
}

/**
 * Reads the file's lines one by one; empty ones are left out.
 *
 * A task without a request ID of its own gets one from the file's hash and its line number, so that importing the same
 * file twice creates each task once.
 */
export async function* readLines(file: string, hash: string): AsyncGenerator<Line, void> {
  let number = 0
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    number++
    if (text.trim() !== '')
      yield { number, bytes: Buffer.byteLength(text), ...parse(text, `import-${hash.slice(0, 32)}-${number}`) }
  }
}

function parse(
  text: string,
  requestId: string,
): { task: NewTask; fault?: undefined } | { task?: undefined; fault: string } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return { fault: `not JSON: ${(error as Error).message}` }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { fault: 'not a JSON object' }
  const task = value as NewTask
  if (typeof task.type !== 'string' || task.type === '') return { fault: 'it has no "type"' }
  return { task: { ...task, requestId: task.requestId || requestId } }
}
