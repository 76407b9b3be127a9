import { deepEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { descriptorSet } from '@flowforge/proto/descriptors'
import { createTranscoder, grpcUpstream, type Route } from '../transcoder/transcoder.ts'
import { CacheRules } from './rules.ts'

const transcoder = createTranscoder({
  descriptors: descriptorSet(),
  upstream: (method) =>
    method.parent.typeName.startsWith('flowforge.') ? grpcUpstream(undefined as never) : undefined,
})
const rules = new CacheRules(transcoder.registry, transcoder.routes)

/** A route with its variables filled in: `projects/a/tasks/x`. */
function target(route: Route) {
  const ids: Record<string, string> = { projects: 'a', subscriptions: 's' }
  const { segments, variables } = route.template
  return {
    route,
    variables: new Map(
      variables.map(({ fieldPath, start, end }) => [
        fieldPath,
        segments
          .slice(start, end)
          .map((segment, index, all) => {
            const before = all[index - 1]
            return segment.kind === 'literal' ? segment.text : (before?.kind === 'literal' && ids[before.text]) || 'x'
          })
          .join('/'),
      ]),
    ),
  }
}

const named = (routes: readonly Route[]) => routes.map((route) => [route.method.name, target(route)] as const)

test('answers are kept of what only calls through the gateway change, and depend on what they name', () => {
  const kept = named(transcoder.routes).flatMap(([name, one]) => {
    const rule = rules.readOf(one.route)
    return rule === undefined ? [] : [[name, rules.tagsOf(one, rule), rule.whenSet] as const]
  })
  deepEqual(
    kept.toSorted(([a], [b]) => (a < b ? -1 : 1)),
    [
      ['GetApiKey', ['item:projects/a/apiKeys/x', 'items:projects/a/apiKeys'], undefined],
      ['GetProject', ['item:projects/a', 'items:projects'], undefined],
      ['GetSubscription', ['item:projects/a/subscriptions/s', 'items:projects/a/subscriptions'], undefined],
      ['GetTask', ['item:projects/a/tasks/x', 'items:projects/a/tasks'], 'finishTime'],
      ['GetUser', ['item:projects/a/users/x', 'items:projects/a/users'], undefined],
      ['ListApiKeys', ['list:projects/a/apiKeys'], undefined],
      ['ListProjects', ['list:projects'], undefined],
      ['ListSubscriptions', ['list:projects/a/subscriptions'], undefined],
      ['ListUsers', ['list:projects/a/users'], undefined],
    ],
  )
})

test('every change ends what is kept of what it touches, and those that touch nothing kept cost nothing', () => {
  const changes = Object.fromEntries(named(transcoder.routes).map(([name, one]) => [name, rules.changesOf(one)]))
  const item = (name: string): string[] => [`list:${name.slice(0, name.lastIndexOf('/'))}`, `item:${name}`]
  const task = ['item:projects/a/tasks/x']
  const tasks = ['list:projects/a/tasks', 'items:projects/a/tasks']
  deepEqual(Object.fromEntries(Object.entries(changes).filter(([, tags]) => tags.length > 0)), {
    CreateProject: ['list:projects'],
    UpdateProject: item('projects/a'),
    CreateUser: ['list:projects/a/users'],
    UpdateUser: item('projects/a/users/x'),
    DeleteUser: [...item('projects/a/users/x'), 'list:projects/a/apiKeys', 'items:projects/a/apiKeys'],
    CreateApiKey: ['list:projects/a/apiKeys'],
    RevokeApiKey: item('projects/a/apiKeys/x'),
    CreateSubscription: ['list:projects/a/subscriptions'],
    UpdateSubscription: item('projects/a/subscriptions/s'),
    DeleteSubscription: item('projects/a/subscriptions/s'),
    CancelTask: task,
    RetryTask: task,
    DeleteTask: task,
    CompleteTask: task,
    FailTask: task,
    ReleaseTask: task,
    ReportProgress: task,
    BulkCancelTasks: tasks,
    BulkRetryTasks: tasks,
    BulkDeleteTasks: tasks,
  })
})
