import type {
  CreateSubscriptionRequest,
  Subscription,
} from '@flowforge/proto/flowforge/notifications/v1/subscription_service.ts'
import { check, idFinding, required } from '@flowforge/runtime/findings'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/subscriptions.ts'
import type { NotificationsDatabase } from '../tables.ts'
import { queuesFinding, secretFinding, typesFinding, urlFinding } from './check.ts'
import { parseProject } from './names.ts'
import { toSubscription } from './resources.ts'
import { statesFinding, toStoredStates } from './states.ts'
import type { TakeHead } from './take-head.ts'

export function createSubscription(
  db: NotificationsDatabase,
  takeHead: TakeHead,
): UnaryHandler<CreateSubscriptionRequest, Subscription> {
  return async (request, context) => {
    const project = parseProject(request.parent, 'parent')
    const subscription = required('subscription', request.subscription)
    check(
      idFinding('subscription_id', request.subscriptionId),
      urlFinding('subscription.url', subscription.url),
      statesFinding('subscription.states', subscription.states),
      typesFinding('subscription.types', subscription.types),
      queuesFinding('subscription.queues', subscription.queues),
      secretFinding('subscription.secret', subscription.secret),
    )
    const head = await takeHead(project, context)
    const row = await engine.createSubscription(
      db,
      {
        project,
        subscription: request.subscriptionId,
        url: subscription.url,
        states: toStoredStates(subscription.states),
        types: subscription.types,
        queues: subscription.queues,
        secret: subscription.secret || undefined,
        paused: subscription.paused,
      },
      head,
    )
    return { ...toSubscription(row), secret: row.secret }
  }
}
