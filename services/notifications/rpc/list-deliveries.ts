import type {
  ListDeliveriesRequest,
  ListDeliveriesResponse,
} from '@flowforge/proto/flowforge/notifications/v1/subscription_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/deliveries.ts'
import type { NotificationsDatabase } from '../tables.ts'
import { parseSubscription } from './names.ts'
import { nextPageToken, readPage } from '@flowforge/runtime/paging'
import { toDelivery } from './resources.ts'

export function listDeliveries(db: NotificationsDatabase): UnaryHandler<ListDeliveriesRequest, ListDeliveriesResponse> {
  return async (request) => {
    const key = parseSubscription(request.parent, 'parent')
    const scope = ['deliveries', request.parent]
    const page = await engine.listDeliveries(db, key, readPage(request, scope))
    return {
      deliveries: page.rows.map((row) => toDelivery(key, row)),
      nextPageToken: nextPageToken(page, scope),
    }
  }
}
