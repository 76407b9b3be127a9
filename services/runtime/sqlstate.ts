/** What PostgreSQL's SQLSTATE and the driver's connection errors mean to us. The only place that reads either. */

/** A row with this key is there already. `constraint` narrows it to one constraint's name. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  return sqlState(error) === '23505' && (constraint === undefined || field(error, 'constraint') === constraint)
}

/** The transaction lost against another one (deadlock, serialization, lock timeout) and may simply run again. */
export function isConflict(error: unknown): boolean {
  return ['40001', '40P01', '55P03'].includes(sqlState(error) ?? '')
}

/** Another transaction held a lock for longer than `lock_timeout`. */
export function isLockTimeout(error: unknown): boolean {
  return sqlState(error) === '55P03'
}

/** The database could not be reached, is starting or stopping, or lacks a connection, memory or disk (class 53): nothing was decided. */
export function isDatabaseDown(error: unknown): boolean {
  const state = sqlState(error)
  if (state !== undefined) return state.startsWith('08') || state.startsWith('57P0') || state.startsWith('53')
  return isConnectionLoss(error)
}

/** The same statement may succeed in a moment. A lost connection does not say whether it was committed. */
export function isTransient(error: unknown): boolean {
  return isConflict(error) || isDatabaseDown(error)
}

/** The statement ran into `statement_timeout`. */
export function isStatementTimeout(error: unknown): boolean {
  return sqlState(error) === '57014'
}

/** The database can't take these values (class 22, 23 or 54): the same statement fails again, others may not. */
export function isDataError(error: unknown): boolean {
  return ['22', '23', '54'].includes(sqlState(error)?.slice(0, 2) ?? '')
}

function sqlState(error: unknown): string | undefined {
  const code = field(error, 'code')
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && field(error, 'severity') !== undefined
    ? code
    : undefined
}

const socketCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
])
// The driver has no code for these; its messages are the only sign.
const driverMessages = [
  'Connection terminated',
  'timeout expired',
  'timeout exceeded when trying to connect',
  'Client has encountered a connection error and is not queryable',
]

function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof AggregateError) return error.errors.some(isConnectionLoss)
  const code = field(error, 'code')
  if (typeof code === 'string') return socketCodes.has(code) && field(error, 'syscall') !== undefined
  return driverMessages.some((message) => error.message.startsWith(message))
}

function field(error: unknown, key: string): unknown {
  return typeof error === 'object' && error !== null ? (error as Record<string, unknown>)[key] : undefined
}
