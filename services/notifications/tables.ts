import type { ColumnType, Generated, GeneratedAlways, Kysely, Selectable } from 'kysely'

/** The schema `notifications` as types; schema/0001-notifications.sql creates it. */
export interface NotificationsSchema {
  'notifications.subscriptions': SubscriptionsTable
  'notifications.deliveries': DeliveriesTable
  'notifications.follower': FollowerTable
}

/** What the engine works on: the database, or a transaction in it. */
export type NotificationsDatabase = Kysely<NotificationsSchema>

/** How a task ends, as it is stored. */
export type StoredState = 'SUCCEEDED' | 'CANCELLED' | 'DEAD'

interface SubscriptionsTable {
  /** Tells two subscriptions apart that had the same name one after the other. */
  uid: Generated<string>
  /** The id of the project. */
  project: string
  /** The last segment of the name. */
  id: string
  /** Where to deliver. */
  url: string
  /** Which ends to tell; all, if empty. */
  states: StoredState[]
  /** Only tasks of these types; all, if empty. */
  types: string[]
  /** Only tasks of these queues; all, if empty. */
  queues: string[]
  /** `whsec_` and base64. In plain text, because each delivery is signed with it. */
  secret: string
  paused: boolean
  create_time: Generated<Date>
  /** When it was created or last resumed: tasks that ended before are not told. */
  active_since: ColumnType<Date, never, Date>
}

interface DeliveriesTable {
  /** The order of lists, and the last segment of the name. */
  number: GeneratedAlways<string>
  /** The uid of the subscription. */
  subscription: string
  /** The name of the task that ended. */
  task: string
  state: StoredState
  /** When the task ended: a redriven one ends again. */
  finish_time: Date
  /** The name of the `webhook.deliver` task. */
  delivery_task: string
  create_time: Generated<Date>
}

interface FollowerTable {
  /** Always true: there is one row. */
  id: Generated<boolean>
  /** Where to continue the stream of finished tasks; null while no subscription is active. */
  cursor: string | null
  /** Changes with the subscriptions and with the instance that follows. */
  version: Generated<string>
}

export type SubscriptionRow = Selectable<SubscriptionsTable>
export type DeliveryRow = Selectable<DeliveriesTable>
