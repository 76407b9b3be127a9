type Write = (fields: object, message: string) => void

/** Where the SDK writes; a pino logger fits. Payloads, results and keys are never written. */
export interface Log {
  debug: Write
  info: Write
  warn: Write
  error: Write
  /** The same log with fields that each of its lines carries. */
  child(fields: object): Log
}

/** Writes warnings and errors to stderr, one JSON line each. */
export function stderrLog(bound: object = {}): Log {
  const write =
    (level: string): Write =>
    (fields, message) =>
      void process.stderr.write(`${JSON.stringify({ level, ...bound, ...plain(fields), message })}\n`)
  const nothing: Write = () => {}
  return {
    debug: nothing,
    info: nothing,
    warn: write('warn'),
    error: write('error'),
    child: (fields) => stderrLog({ ...bound, ...fields }),
  }
}

function plain(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? value.message : value]),
  )
}
