import { parseName } from '@flowforge/runtime/resource-name'
import type { SubscriptionKey } from '../engine/subscriptions.ts'

/** Reads `projects/{project}`. */
export function parseProject(name: string, field: string): string {
  return parseName('projects/{project}', name, field).project
}

/** Reads `projects/{project}/subscriptions/{subscription}`. */
export function parseSubscription(name: string, field: string): SubscriptionKey {
  return parseName('projects/{project}/subscriptions/{subscription}', name, field)
}
