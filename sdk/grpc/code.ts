/** gRPC's status codes, and what HTTP says when no gRPC status came. */
export const code = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const

const byHttpStatus: Record<string, number> = {
  '400': code.internal,
  '401': code.unauthenticated,
  '403': code.permissionDenied,
  '404': code.unimplemented,
  '429': code.unavailable,
  '502': code.unavailable,
  '503': code.unavailable,
  '504': code.unavailable,
}

/** As gRPC's http-grpc-status-mapping.md has it. */
export function codeOfHttpStatus(httpStatus: string | undefined): number {
  return byHttpStatus[httpStatus ?? ''] ?? code.unknown
}
