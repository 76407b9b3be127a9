import type { Delivery, Subscription } from '@flowforge/proto/flowforge/notifications/v1/subscription_service.ts'
import { toState } from '../engine/states.ts'
import { type SubscriptionKey, subscriptionName } from '../engine/subscriptions.ts'
import type { DeliveryRow, SubscriptionRow } from '../tables.ts'

/** Without its secret, which CreateSubscription alone adds. */
export function toSubscription(row: SubscriptionRow): Subscription {
  return {
    name: subscriptionName({ project: row.project, subscription: row.id }),
    url: row.url,
    states: row.states.map(toState),
    types: row.types,
    queues: row.queues,
    secret: '',
    paused: row.paused,
    createTime: row.create_time,
  }
}

export function toDelivery(subscription: SubscriptionKey, row: DeliveryRow): Delivery {
  return {
    name: `${subscriptionName(subscription)}/deliveries/${row.number}`,
    task: row.task,
    state: toState(row.state),
    deliveryTask: row.delivery_task,
    createTime: row.create_time,
  }
}
