/** The resource names of this service. */
import { formatName, parseName } from '@flowforge/runtime/resource-name'
import { invalidArgument } from '@flowforge/runtime/status'
import type { TaskKey } from '../engine/read.ts'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const taskNamePattern =
  /^projects\/([A-Za-z0-9~_.-]{1,128})\/tasks\/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/
const id = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** The id that users choose for queues and schedules. */
export function isId(value: string): boolean {
  return id.test(value)
}

export const idDescription = 'must be 1 to 63 characters of a-z 0-9 -, beginning and ending with a letter or digit'

export function parseProject(parent: string, field = 'parent'): string {
  return parseName('projects/{project}', parent, field).project
}

export function parseTaskName(name: string, field = 'name'): TaskKey {
  // Every outcome of a busy worker comes through here: what is right is seen by one expression, what is wrong is told below.
  const [, rightProject, rightTask] = taskNamePattern.exec(name) ?? []
  if (rightProject && rightTask) return { project: rightProject, id: rightTask }
  const { project, task } = parseName('projects/{project}/tasks/{task}', name, field)
  if (!uuid.test(task)) throw invalidArgument({ field, description: 'must end with a UUID in lower case' })
  return { project, id: task }
}

export function taskName({ project, id }: TaskKey): string {
  return `projects/${project}/tasks/${id}`
}

export function parseQueueName(name: string, field = 'name'): { project: string; queue: string } {
  return parseName('projects/{project}/queues/{queue}', name, field)
}

export function queueName(project: string, queue: string): string {
  return formatName('projects/{project}/queues/{queue}', { project, queue })
}

export function parseScheduleName(name: string, field = 'name'): { project: string; id: string } {
  const { project, schedule } = parseName('projects/{project}/schedules/{schedule}', name, field)
  return { project, id: schedule }
}

export function scheduleName({ project, id }: { project: string; id: string }): string {
  return formatName('projects/{project}/schedules/{schedule}', { project, schedule: id })
}

/** The revision that an etag stands for; null for none. */
export function revisionOf(etag: string): number | null {
  if (etag === '') return null
  // Any other text is an etag that no task has.
  return /^\d{1,9}$/.test(etag) ? Number(etag) : -1
}
