import type {
  ListSubscriptionsRequest,
  ListSubscriptionsResponse,
} from '@flowforge/proto/flowforge/notifications/v1/subscription_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/subscriptions.ts'
import type { NotificationsDatabase } from '../tables.ts'
import { parseProject } from './names.ts'
import { nextPageToken, readPage } from '@flowforge/runtime/paging'
import { toSubscription } from './resources.ts'

export function listSubscriptions(
  db: NotificationsDatabase,
): UnaryHandler<ListSubscriptionsRequest, ListSubscriptionsResponse> {
  return async (request) => {
    const project = parseProject(request.parent, 'parent')
    const scope = ['subscriptions', project]
    const page = await engine.listSubscriptions(db, project, readPage(request, scope, 'id'))
    return { subscriptions: page.rows.map(toSubscription), nextPageToken: nextPageToken(page, scope) }
  }
}
