/** Statuses that a proxy gives, by the name that gRPC gives them. */
export const codes = {
  OK: 0,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const
