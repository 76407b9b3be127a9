import type {
  Subscription,
  UpdateSubscriptionRequest,
} from '@flowforge/proto/flowforge/notifications/v1/subscription_service.ts'
import { check, required } from '@flowforge/runtime/findings'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/subscriptions.ts'
import type { NotificationsDatabase } from '../tables.ts'
import { queuesFinding, typesFinding, urlFinding } from './check.ts'
import { parseSubscription } from './names.ts'
import { toSubscription } from './resources.ts'
import { statesFinding, toStoredStates } from './states.ts'
import type { TakeHead } from './take-head.ts'
import { fieldsToChange } from '@flowforge/runtime/update-mask'

export function updateSubscription(
  db: NotificationsDatabase,
  takeHead: TakeHead,
): UnaryHandler<UpdateSubscriptionRequest, Subscription> {
  return async (request, context) => {
    const subscription = required('subscription', request.subscription)
    const key = parseSubscription(subscription.name, 'subscription.name')
    const fields = fieldsToChange(request.updateMask, {
      url: subscription.url !== '',
      states: subscription.states.length > 0,
      types: subscription.types.length > 0,
      queues: subscription.queues.length > 0,
      paused: subscription.paused,
    })
    check(
      fields.has('url') ? urlFinding('subscription.url', subscription.url) : undefined,
      statesFinding('subscription.states', subscription.states),
      typesFinding('subscription.types', subscription.types),
      queuesFinding('subscription.queues', subscription.queues),
    )
    const resumes = fields.has('paused') && !subscription.paused
    const head = resumes ? await takeHead(key.project, context) : undefined
    const changes = {
      url: fields.has('url') ? subscription.url : undefined,
      states: fields.has('states') ? toStoredStates(subscription.states) : undefined,
      types: fields.has('types') ? subscription.types : undefined,
      queues: fields.has('queues') ? subscription.queues : undefined,
      paused: fields.has('paused') ? subscription.paused : undefined,
    }
    return toSubscription(await engine.updateSubscription(db, key, changes, head))
  }
}
