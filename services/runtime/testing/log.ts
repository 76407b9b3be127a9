import { createLogger, type Logger } from '../log.ts'

/** A logger that says nothing. */
export const quietLog: Logger = createLogger('test', 'fatal')

/** A logger whose lines a test can read. */
export function recordingLog(): { log: Logger; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = []
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>)
  return { log: createLogger('test', 'debug', { write }), lines }
}
