import { isDeepStrictEqual } from 'node:util'
import type { Task } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import { Struct } from '@flowforge/proto/google/protobuf/struct.ts'

// The one built-in type whose payload holds a secret that its readers need not know: it signs the deliveries of a
// subscription, which shows it only to whoever creates it.
const type = 'webhook.deliver'
const key = 'secret'

/** The payload as readers get it: without the key that signs a webhook. Workers get it whole, with their lease. */
export function readablePayload<Payload extends Uint8Array>(taskType: string, payload: Payload): Payload | Buffer {
  if (taskType !== type) return payload
  const { [key]: secret, ...fields } = Struct.decode(payload).fields
  return secret === undefined ? payload : Buffer.from(Struct.encode({ fields }).finish())
}

/**
 * The task that replaces a stored one. Whoever changes what was read sends it back without its key, so it stays as long
 * as no other is given and the URL is the same: it must not sign what goes elsewhere.
 */
export function keepSecret(task: Task, stored: Task): Task {
  if (task.type !== type || stored.type !== type || !task.payload || !stored.payload) return task
  const { fields } = Struct.decode(task.payload)
  const { url, [key]: secret } = Struct.decode(stored.payload).fields
  if (key in fields || secret === undefined || !isDeepStrictEqual(fields['url'], url)) return task
  return { ...task, payload: Buffer.from(Struct.encode({ fields: { ...fields, [key]: secret } }).finish()) }
}
