import { SubscriptionServiceService } from '@flowforge/proto/flowforge/notifications/v1/subscription_service.ts'
import { service, type Service } from '@flowforge/runtime/server'
import { createSubscription } from './rpc/create-subscription.ts'
import { deleteSubscription } from './rpc/delete-subscription.ts'
import { getSubscription } from './rpc/get-subscription.ts'
import { listDeliveries } from './rpc/list-deliveries.ts'
import { listSubscriptions } from './rpc/list-subscriptions.ts'
import type { TakeHead } from './rpc/take-head.ts'
import { updateSubscription } from './rpc/update-subscription.ts'
import type { NotificationsDatabase } from './tables.ts'

/** The table of contents: every RPC of `flowforge.notifications.v1` and what answers it. */
export function notificationsServices(db: NotificationsDatabase, takeHead: TakeHead): Service[] {
  return [
    service(SubscriptionServiceService, {
      createSubscription: createSubscription(db, takeHead),
      getSubscription: getSubscription(db),
      listSubscriptions: listSubscriptions(db),
      updateSubscription: updateSubscription(db, takeHead),
      deleteSubscription: deleteSubscription(db),
      listDeliveries: listDeliveries(db),
    }),
  ]
}
