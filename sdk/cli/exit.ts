/** What the exit code of the command says. */
export const exitCodes = { done: 0, refused: 1, usage: 2, unavailable: 3 }

/** The command line cannot be followed; the message says what to write instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The command did what it was told, has reported it, and the outcome is not a success. */
export class FailedError extends Error {
  override readonly name = 'FailedError'
}
