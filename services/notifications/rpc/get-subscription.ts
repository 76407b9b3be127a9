import type {
  GetSubscriptionRequest,
  Subscription,
} from '@flowforge/proto/flowforge/notifications/v1/subscription_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/subscriptions.ts'
import type { NotificationsDatabase } from '../tables.ts'
import { parseSubscription } from './names.ts'
import { toSubscription } from './resources.ts'

export function getSubscription(db: NotificationsDatabase): UnaryHandler<GetSubscriptionRequest, Subscription> {
  return async (request) => toSubscription(await engine.getSubscription(db, parseSubscription(request.name, 'name')))
}
