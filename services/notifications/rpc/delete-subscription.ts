import type { DeleteSubscriptionRequest } from '@flowforge/proto/flowforge/notifications/v1/subscription_service.ts'
import type { Empty } from '@flowforge/proto/google/protobuf/empty.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/subscriptions.ts'
import type { NotificationsDatabase } from '../tables.ts'
import { parseSubscription } from './names.ts'

export function deleteSubscription(db: NotificationsDatabase): UnaryHandler<DeleteSubscriptionRequest, Empty> {
  return async (request) => {
    await engine.deleteSubscription(db, parseSubscription(request.name, 'name'))
    return {}
  }
}
