import { Struct } from '@flowforge/proto/google/protobuf/struct.ts'
import type { TaskRow } from '../tables.ts'

// The one built-in type whose payload holds a secret that its readers need not know: it signs the deliveries of a
// subscription, which shows it only to whoever creates it.
const type = 'webhook.deliver'
const key = 'secret'

/** The payload as readers of the task get it: without the key that signs a webhook. Workers get it whole, with their lease. */
export function readablePayload(row: Pick<TaskRow, 'type' | 'payload'>): Buffer | null {
  const { payload } = row
  if (row.type !== type || payload === null || !payload.includes(key)) return payload
  const struct = Struct.decode(payload)
  delete struct.fields[key]
  return Buffer.from(Struct.encode(struct).finish())
}
