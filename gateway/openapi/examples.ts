/** Examples of messages in JSON. They are made from the descriptors, so that none is forgotten and none is wrong. */
import { ScalarType, type DescField, type DescMessage, type FileRegistry } from '@bufbuild/protobuf'
import { behaviorOf } from './behavior.ts'

/** A request holds what a caller must or would set, an answer whatever may be in it. */
export type ExampleKind = 'request' | 'answer'

const time = '2026-03-01T02:00:00Z'
const task = 'projects/default/tasks/019548a5-7c00-7000-8000-000000000001'

/** By `Message.field` or by `field`: what the type alone does not tell. `undefined` leaves the field out. */
const texts: Readonly<Record<string, unknown>> = {
  'Task.name': task,
  'Task.uid': '019548a5-7c00-7000-8000-000000000001',
  'Task.type': 'webhook.deliver',
  'Task.queue': 'default',
  'Task.payload': { url: 'https://example.com/hooks', body: { order: 17 } },
  'Task.labels': { customer: '42' },
  'Task.request_id': undefined,
  'Task.fairness_key': 'customer-42',
  'Task.concurrency_key': undefined,
  'Task.unique_key': undefined,
  'Task.error': undefined,
  'Task.progress': undefined,
  'Task.expire_time': undefined,
  'Task.result': { status: 204 },
  'Attempt.error': undefined,
  'Project.name': 'projects/default',
  'User.name': 'projects/default/users/ada',
  'User.email': 'ada@example.com',
  'ApiKey.name': 'projects/default/apiKeys/k1',
  'ApiKey.secret': undefined,
  'ApiKey.user': undefined,
  'ApiKey.expire_time': undefined,
  'ApiKey.revoke_time': undefined,
  'AuditEntry.name': 'projects/default/auditEntries/1',
  'AuditEntry.method': 'flowforge.accounts.v1.AccountService/CreateApiKey',
  'Queue.name': 'projects/default/queues/default',
  'Schedule.name': 'projects/default/schedules/nightly',
  'Schedule.cron': '0 2 * * *',
  'Subscription.name': 'projects/default/subscriptions/billing',
  'Subscription.url': 'https://example.com/hooks',
  'Subscription.secret': undefined,
  'Delivery.name': 'projects/default/subscriptions/billing/deliveries/1',
  'CreateTaskRequest.request_id': 'order-17',
  'Lease.token': undefined,
  name: task,
  parent: 'projects/default',
  principal: 'projects/default/apiKeys/k1',
  resource: 'projects/default/apiKeys/k1',
  display_name: 'Example',
  time_zone: 'Europe/Berlin',
  filter: 'state = DEAD AND queue = "mail"',
  order_by: 'create_time desc',
  next_page_token: undefined,
  etag: '3',
  worker: 'worker-1',
  task,
}

// A request holds these although nothing demands it, because they are what the call is about.
const shown = new Set([
  'Task.payload',
  'Task.schedule_time',
  'Schedule.time_zone',
  'User.display_name',
  'Queue.retention',
])
const deepestLevel = 4

/** An example of a message. */
export function exampleOf(registry: FileRegistry, desc: DescMessage, kind: ExampleKind, level = 0): unknown {
  const known = wellKnown(desc.typeName)
  if (known !== undefined) return known
  const example: Record<string, unknown> = {}
  for (const field of desc.fields) {
    // Of a oneof the first one stands for all.
    if (field.oneof !== undefined && field.oneof.fields[0] !== field) continue
    const { isRequired, isReadOnly, isWriteOnly } = behaviorOf(registry, field)
    const isWanted = kind === 'request' ? !isReadOnly && (isRequired || shown.has(keyOf(field))) : !isWriteOnly
    if (!isWanted) continue
    const value = valueOf(registry, field, kind, level)
    if (value !== undefined) example[field.jsonName] = value
  }
  return example
}

function valueOf(registry: FileRegistry, field: DescField, kind: ExampleKind, level: number): unknown {
  for (const key of [keyOf(field), field.name]) if (key in texts && isText(field)) return texts[key]
  if (keyOf(field) in texts) return texts[keyOf(field)]
  if (field.fieldKind === 'map') return undefined
  if (level >= deepestLevel) return undefined
  const one = singleOf(registry, field, kind, level)
  return field.fieldKind === 'list' && one !== undefined ? [one] : one
}

function singleOf(registry: FileRegistry, field: DescField, kind: ExampleKind, level: number): unknown {
  if (field.message !== undefined) return exampleOf(registry, field.message, kind, level + 1)
  // The first value of an enum says that nothing was said.
  if (field.enum !== undefined) return (field.enum.values[1] ?? field.enum.values[0])!.name
  switch (field.scalar) {
    case ScalarType.STRING:
      return field.name
    case ScalarType.BYTES:
      return 'AAE='
    case ScalarType.BOOL:
      return true
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return '1'
    default:
      return 1
  }
}

function isText(field: DescField): boolean {
  return field.fieldKind === 'scalar' && field.scalar === ScalarType.STRING
}

function keyOf(field: DescField): string {
  return `${field.parent.name}.${field.name}`
}

function wellKnown(typeName: string): unknown {
  switch (typeName) {
    case 'google.protobuf.Timestamp':
      return time
    case 'google.protobuf.Duration':
      return '30s'
    case 'google.protobuf.Struct':
    case 'google.protobuf.Empty':
      return {}
    case 'google.protobuf.FieldMask':
      return 'displayName'
    default:
      return undefined
  }
}
