/**
 * SQL that is true if `tasks.task` is the task that this row names, for statements that join the two.
 *
 * An array of one, and not an equality by which the planner could merge both in their order: from statistics of a table
 * that was just emptied it takes the whole index for one page, as cheap to read as to look into.
 */
export function isTaskOf(row: string): string {
  return `task.project = any(array[${row}.project]) and task.id = ${row}.id`
}
