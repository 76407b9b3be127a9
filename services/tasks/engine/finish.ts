/** The SQL that moves a task from the hot half to the cold one; every verb that finishes a task ends with it. */

const kept =
  'project, id, queue_id, type, priority, schedule_time, expire_time, attempt_timeout_ms, retry_policy, request_id, fairness_key, concurrency_key, unique_key, labels, traceparent, payload, create_time, start_time, attempt, session_id, worker, attempt_start, progress'

/**
 * An INSERT of the rows of the CTE `source`, which has the columns of tasks.task.
 *
 * @param set SQL expressions over `source` for the columns that finishing decides.
 */
export function insertFinished(
  source: string,
  set: { state: string; result?: string; error?: string; attempts?: string },
): string {
  return `insert into tasks.finished_task (${kept}, state, result, error, attempts, revision, finish_time, retain_until)
    select ${kept
      .split(', ')
      .map((column) => `${source}.${column}`)
      .join(
        ', ',
      )}, ${set.state}, ${set.result ?? 'null'}, ${set.error ?? `${source}.error`}, ${set.attempts ?? `${source}.attempts`},
      ${source}.revision + 1, tasks.now(), tasks.now() + queue.retention
    from ${source} join tasks.queue on queue.id = ${source}.queue_id`
}
