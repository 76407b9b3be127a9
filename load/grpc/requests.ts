/** The RPCs that are worth loading, by the name of their configuration in load/ghz, with what is asked of each. */
const parent = 'projects/default'
// `{{…}}` is ghz' own: a new value for each call.
const task = { type: 'echo', queue: 'ghz', payload: { n: 1, text: 'x'.repeat(400) } }

export const requests: Record<string, object> = {
  'tasks.CreateTask': { parent, task: { ...task, request_id: '{{newUUID}}' } },
  'tasks.BatchCreateTasks': { parent, requests: Array.from({ length: 100 }, () => ({ task })) },
  'tasks.ListTasks': { parent, page_size: 20 },
  'tasks.GetQueue': { name: `${parent}/queues/ghz` },
  'tasks.ListQueues': { parent, page_size: 20 },
  'accounts.GetProject': { name: parent },
  'accounts.ListProjects': { page_size: 20 },
  'notifications.ListSubscriptions': { parent, page_size: 20 },
}
