import { invalidArgument } from '@flowforge/runtime/status'

/** The page size that a request gets: 50 if unset, 1,000 at most (AIP-158). */
export function pageSizeOf(pageSize: number): number {
  if (pageSize < 0) throw invalidArgument({ field: 'page_size', description: 'must not be negative' })
  return Math.min(pageSize || 50, 1000)
}
