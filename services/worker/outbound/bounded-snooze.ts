import { AttemptOutcome, type Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { RetryLaterError, SnoozeError, type Handler } from '@flowforge/sdk'

const snoozesMax = 10

/**
 * Lets a handler snooze ten times in a row; from then on it counts as a failed attempt.
 *
 * A snooze is free, so without the bound a task for a host that is gone for good would never become DEAD.
 */
export function boundedSnooze(handler: Handler): Handler {
  return async (task, context) => {
    try {
      return await handler(task, context)
    } catch (error) {
      if (!(error instanceof SnoozeError) || releasesInARow(task) < snoozesMax) throw error
      throw new RetryLaterError(error.afterMs, error.message, { reason: 'HOST_UNAVAILABLE', cause: error })
    }
  }
}

/** How many attempts before this one gave the task back. The running attempt is in the list, without an outcome. */
function releasesInARow({ attempts }: Task): number {
  const ended = attempts.filter(({ outcome }) => outcome !== AttemptOutcome.ATTEMPT_OUTCOME_UNSPECIFIED)
  const last = ended.findLastIndex(({ outcome }) => outcome !== AttemptOutcome.ATTEMPT_OUTCOME_RELEASED)
  return ended.length - 1 - last
}
